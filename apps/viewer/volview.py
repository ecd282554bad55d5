"""What is done to the published VolView, whose addresses are relative to its page."""

from apps.viewer.dist import Package, Rewrite

# Replaces each address at which VolView would ask or link to a host that is not ours.
NOWHERE = "/volview/unavailable"
# Where the view puts the style sheets that stand for those of public font servers.
STYLES = "<!-- styles -->"
# Stands in the page of who may take images along.
MAY_EXPORT = '<meta name="may-export" content="yes">'

PACKAGE = Package(
    name="volview",
    folder="volview",
    rewrites=(
        # The page: fonts and icons come from our kit.
        Rewrite(
            files="index.html",
            pattern=r'<link rel="stylesheet" href="https://fonts\.googleapis\.com/[^>]*>',
            by=STYLES,
            count=1,
        ),
        Rewrite(
            files="index.html",
            pattern=r'<link rel="stylesheet" href="https://cdn\.jsdelivr\.net/[^>]*>',
            by="",
            count=1,
        ),
        # Sample data, storage of others, pipelines that are served from here anyway.
        Rewrite(files="assets/*.js", pattern=r"https://data\.kitware\.com", by=NOWHERE, count=5),
        Rewrite(
            files="assets/*.js", pattern=r"https://storage\.googleapis\.com", by=NOWHERE, count=1
        ),
        Rewrite(
            files="assets/*.js", pattern=r"https://s3(?=[.-])[a-z0-9.-]*", by=NOWHERE, count=18
        ),
        Rewrite(files="assets/*.js", pattern=r"https://cdn\.jsdelivr\.net", by=NOWHERE, count=3),
        # It warms its decoder up with an empty file, which ends in an error of the console.
        Rewrite(
            files="assets/index-*.js",
            pattern=r'try\{await \w+\(new File\(\[\],"a\.dcm"\)\)\}catch\{\}',
            by="",
            count=2,
        ),
        # A saved session is a ZIP with the images: its button is for who may export them.
        Rewrite(
            files="assets/index-*.js",
            pattern=r'name:"Save session",',
            by=r'\g<0>style:document.querySelector("meta[name=may-export]")?"":"display:none",',
            count=1,
        ),
        # Links of its help.
        Rewrite(
            files="assets/*.js",
            pattern=r"https://(volview\.kitware\.com|kitware\.github\.io|kitware\.com"
            r"|www\.kitware\.com/contact|discourse\.vtk\.org|wiki\.cancerimagingarchive\.net"
            r"|insight-journal\.org|github\.com/Kitware|github\.com/InsightSoftwareConsortium)",
            by=NOWHERE,
            count=16,
        ),
        Rewrite(
            files="assets/*.js",
            pattern=r"http://(www\.pcir\.org|tomovision\.com)",
            by=NOWHERE,
            count=2,
        ),
    ),
    relied_on=(
        "resources",  # of the manifest that says which images a series has
        "application/dicom",
        "/itk/image-io",  # asked for beside the page
        "/itk/pipelines",
        ".urls",
        ".names",
    ),
    # Names of XML, licences, messages of libraries, a default nobody asks.
    mentioned=frozenset(
        {
            "www.w3.org",
            "github.com",
            "www.kitware.com",
            "localhost",
            "mths.be",
            "www.mozilla.org",
            "feross.org",
            "vuejs.org",
            "stuk.github.io",
            "stuartk.com",
            "socket.io",
            "react-native.canny.io",
            "raw.github.com",
            "aws.amazon.com",
            "www.example.com",
        }
    ),
)
