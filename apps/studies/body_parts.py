"""Which part of the body an exam is about, from what devices and catalogues write.

Body Part Examined (0018,0015) holds terms of PS3.16 annex L, when devices fill it; the rest
is words of descriptions. Regions here are as wide as a reader's interest in old images.
"""

import re
from collections.abc import Iterable

_WORDS = {
    "head": "HEAD SKULL BRAIN CRANIUM CEREBRUM NEURO SINUS SINUSES ORBIT ORBITS FACE PITUITARY"
    " TEMPORAL MANDIBLE JAW TMJ SELLA SCHAEDEL KOPF HIRN",
    "neck": "NECK THYROID LARYNX PHARYNX CAROTID CAROTIDS CERVICAL HALS",
    "chest": "CHEST THORAX LUNG LUNGS RIB RIBS STERNUM MEDIASTINUM PULMONARY BRONCHUS",
    "heart": "HEART CARDIAC CORONARY CORONARIES HERZ",
    "breast": "BREAST MAMMA MAMMOGRAPHY MAMMO TOMOSYNTHESIS",
    "abdomen": "ABDOMEN ABDOMINAL LIVER KIDNEY KIDNEYS PANCREAS SPLEEN BOWEL COLON STOMACH"
    " GALLBLADDER RENAL KUB UROGRAPHY",
    "pelvis": "PELVIS PELVIC BLADDER PROSTATE UTERUS OVARY OVARIES RECTUM HIP HIPS SACRUM",
    "spine": "SPINE CSPINE TSPINE LSPINE LUMBAR THORACIC VERTEBRA VERTEBRAE LSSPINE SSPINE",
    "arm": "ARM SHOULDER ELBOW FOREARM WRIST HAND FINGER THUMB HUMERUS RADIUS ULNA CLAVICLE"
    " SCAPULA UP_EXM",
    "leg": "LEG KNEE ANKLE FOOT TOE THIGH FEMUR TIBIA FIBULA CALCANEUS LOW_EXM EXTREMITY",
}
_REGIONS = {word: region for region, words in _WORDS.items() for word in words.split()}
# What stands for several: a scan of the whole trunk is of interest to each of its parts.
_WIDE = {
    "WHOLEBODY": {"head", "neck", "chest", "abdomen", "pelvis", "spine"},
    "CHESTABDPELVIS": {"chest", "abdomen", "pelvis"},
    "CHESTABDOMEN": {"chest", "abdomen"},
    "ABDOMENPELVIS": {"abdomen", "pelvis"},
    "HEADNECK": {"head", "neck"},
    "TRUNK": {"chest", "abdomen", "pelvis"},
}


def regions(texts: Iterable[str]) -> set[str]:
    """The regions that some texts speak of, such as `CHEST` or `CT of the chest`."""
    words = [word for text in texts for word in re.findall(r"[A-Z_]+", text.upper())]
    found = {_REGIONS[word] for word in words if word in _REGIONS}
    for word in words:
        found |= _WIDE.get(word, set())
    return found
