"""The last touches to the OpenAPI document."""

from typing import Any

# Sections of the reference, in the order of a patient's way through the house.
TAGS = (
    *("system", "patients", "orders", "worklist", "studies", "reports"),
    *("transfers", "devices", "changes"),
)
PLACES = {
    "device": "AE title.",
    "id": "Key.",
    "instance": "SOP Instance UID.",
    "label": "Name of the label.",
    "number": "Number of the version.",
    "series": "Series Instance UID.",
    "study": "Study Instance UID.",
}


def finish(result: dict[str, Any], **hook: Any) -> dict[str, Any]:
    """Say what stands in each place of an address; the sections in their order."""
    for item in result["paths"].values():
        for told in item.values():
            for parameter in told.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["description"] = PLACES[parameter["name"]]
    result["tags"] = [{"name": tag} for tag in TAGS]
    return result
