"""Prints the packages of an image as SPDX 2.3. Usage: spdx.py NAME VERSION CREATED ROOT

The records are Debian's: ROOT/var/lib/dpkg/status, or one file a package in status.d.
"""
import hashlib
import json
import pathlib
import re
import sys


def records(root):
    dpkg = root / "var/lib/dpkg"
    files = sorted((dpkg / "status.d").glob("*")) or [dpkg / "status"]
    for path in files:
        for block in path.read_text(errors="replace").split("\n\n"):
            fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", block, re.M))
            if "installed" in fields.get("Status", ""):
                yield fields


def package(fields):
    name, version, arch = fields["Package"], fields["Version"], fields["Architecture"]
    return {
        "SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name),
        "name": name,
        "versionInfo": version,
        "supplier": "Organization: Debian",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": f"pkg:deb/debian/{name}@{version}?arch={arch}&distro=debian-12",
        }],
    }


def main():
    name, version, created, root = sys.argv[1:]
    packages = [package(f) for f in records(pathlib.Path(root))]
    digest = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    program = {
        "SPDXID": "SPDXRef-image", "name": name, "versionInfo": version, "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False, "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION", "primaryPackagePurpose": "CONTAINER",
    }
    json.dump({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{name}-{version}",
        "documentNamespace": f"https://ceoagent.invalid/spdx/{name}-{version}-{digest[:16]}",
        "creationInfo": {"created": created, "creators": ["Tool: deploy/images/spdx.py"]},
        "packages": [program] + packages,
        "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                           "relatedSpdxElement": "SPDXRef-image"}] +
                         [{"spdxElementId": "SPDXRef-image", "relationshipType": "CONTAINS",
                           "relatedSpdxElement": p["SPDXID"]} for p in packages],
    }, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
