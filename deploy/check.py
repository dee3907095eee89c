"""What no tool of Kubernetes or systemd can know: that the files below deploy/ name settings that exist, and fit each other.

Called by scripts/check-deploy with the manifests as kustomize builds them. Needs PyYAML. Prints every fault; exit code 1 if there is one.
"""

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
# Jobs and checkpoints get this long after the open requests (docs/operations.md, systemd).
AFTER_REQUESTS = 10
# Set for others than the server: its health check in the container file.
NOT_THE_SERVERS = {"SCAIVAULT_HEALTH_URL"}

faults = []


def must(holds, fault):
    if not holds:
        faults.append(fault)


def documented_settings():
    """Names in the first column of the tables of docs/operations.md; those with a dagger also with _FILE."""
    names = set()
    for row in re.findall(r"^\| (`[A-Z].*?) \|", (ROOT / "docs/operations.md").read_text(), re.M):
        found = re.findall(r"`([A-Z][A-Z_]+)`", row)
        names.update(found)
        if "†" in row:
            names.update(f"{name}_FILE" for name in found)
    return names


def seconds(span):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([hms])", span))


def environment_lines(text):
    """NAME=value lines of the example, commented ones too."""
    return dict(re.findall(r"^#?([A-Z][A-Z_]+)=(.*)$", text, re.M))


def one(objects, kind):
    found = [each for each in objects if each["kind"] == kind]
    if len(found) != 1:
        sys.exit(f"check-deploy: there must be one {kind}, there are {len(found)}")
    return found[0]


def check_kubernetes(objects, settings, user):
    must(not [each for each in objects if each["kind"] == "Secret"], "a Secret among the manifests: values do not belong here")
    must(all(each["metadata"].get("namespace") or each["kind"] == "Namespace" for each in objects), "an object without a namespace")
    deployment = one(objects, "Deployment")["spec"]
    pod, labels = deployment["template"]["spec"], deployment["template"]["metadata"]["labels"]
    (container,) = pod["containers"]

    given = dict(one(objects, "ConfigMap")["data"])
    given.update({each["name"]: each.get("value", "") for each in container["env"]})
    for name in given:
        must(name in settings, f"the manifests set {name}, which docs/operations.md does not know")
    for name in ("BASE_URL", "DATABASE_URL_FILE"):
        must(name in given, f"several nodes need {name}")

    must("NODE_ID" not in given, "a pod's name does not return: each new pod would begin chains of its own in the trail for ever")

    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    must({each["name"] for each in mounts.values()} == set(volumes), "volumes and their mounts do not fit each other")
    for name, value in given.items():
        if name.endswith("_FILE"):
            parent = str(pathlib.PurePosixPath(value).parent)
            must(parent in mounts, f"{name}: nothing is mounted at {parent}")
    for path, mount in mounts.items():
        if "secret" in volumes[mount["name"]]:
            must(mount.get("readOnly"), f"the secret at {path} is not mounted read-only")

    must(pod["securityContext"]["runAsUser"] == user, f"runAsUser is not the container file's {user}")
    must(pod["securityContext"]["runAsNonRoot"] is True, "runAsNonRoot is not set")
    must(pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, "the seccomp profile is not RuntimeDefault")
    must(pod["automountServiceAccountToken"] is False, "the pods get a token for the cluster's API")
    rights = container["securityContext"]
    must(rights["readOnlyRootFilesystem"] is True, "the root file system can be written")
    must(rights["allowPrivilegeEscalation"] is False, "privileges can be gained")
    must(rights["capabilities"] == {"drop": ["ALL"]}, "capabilities are left")
    must(container["resources"]["limits"].get("memory"), "no limit of memory")

    ports = {each["name"] for each in container["ports"]}
    probes = {"livenessProbe": "/v1/health", "startupProbe": "/v1/health", "readinessProbe": "/v1/health/ready"}
    for probe, path in probes.items():
        must(container[probe]["httpGet"]["path"] == path, f"{probe} does not ask {path}")
        must(container[probe]["httpGet"]["port"] in ports, f"{probe} asks a port that there is not")
    for each in one(objects, "Service")["spec"]["ports"]:
        must(each["targetPort"] in ports, f"the service's {each['targetPort']} is no port of the pods")
    for rule in one(objects, "NetworkPolicy")["spec"]["ingress"]:
        for each in rule["ports"]:
            must(each["port"] in ports, f"the network policy's {each['port']} is no port of the pods")

    needed = container["lifecycle"]["preStop"]["sleep"]["seconds"] + seconds(given["SHUTDOWN_TIMEOUT"]) + AFTER_REQUESTS
    must(pod["terminationGracePeriodSeconds"] > needed, f"terminationGracePeriodSeconds must be above {needed}")

    selectors = {
        "the deployment": deployment["selector"]["matchLabels"],
        "the service": one(objects, "Service")["spec"]["selector"],
        "the disruption budget": one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        "the network policy": one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    }
    for index, each in enumerate(pod["topologySpreadConstraints"]):
        selectors[f"spread {index}"] = each["labelSelector"]["matchLabels"]
    for what, selector in selectors.items():
        must(selector.items() <= labels.items(), f"{what} does not select the pods")


def check_systemd(settings):
    unit = (DEPLOY / "systemd/scaivault.service").read_text()
    example = environment_lines((DEPLOY / "systemd/scaivault.env.example").read_text())
    drop_in = (DEPLOY / "systemd/scaivault.service.d/postgresql.conf").read_text()
    names = set(example) | set(re.findall(r"^Environment=([A-Z_]+)=", unit + drop_in, re.M))
    for name in sorted(names):
        must(name in settings, f"the unit or its example sets {name}, which docs/operations.md does not know")
    needed = seconds(example.get("SHUTDOWN_TIMEOUT", "30s")) + AFTER_REQUESTS
    must(int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)[1]) > needed, f"TimeoutStopSec must be above {needed}")


def check_container(settings):
    """Answers the user that the container runs as."""
    text = (DEPLOY / "container/Containerfile").read_text().replace("\\\n", " ")
    final = text[text.rindex("\nFROM "):]
    names = set()
    for line in re.findall(r"^ENV (.*)$", final, re.M):
        names.update(re.findall(r"([A-Z][A-Z_]+)=", line))
    for name in sorted(names - NOT_THE_SERVERS):
        must(name in settings, f"the container file sets {name}, which docs/operations.md does not know")
    user = int(re.search(r"^USER (\d+):\1$", final, re.M)[1])
    must(f"--uid {user} " in final, "USER is not the user that the container file makes")
    built_with = re.search(r"RUSTUP_TOOLCHAIN=(\d+\.\d+)\.\d+", text)[1]
    must(f"rust:{built_with}-" in text, "RUSTUP_TOOLCHAIN is not the image's")
    needed = re.search(r'^rust-version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    must(tuple(map(int, built_with.split("."))) >= tuple(map(int, needed.split("."))), f"the sources need Rust {needed}")
    return user


def main():
    objects = [each for each in yaml.safe_load_all(pathlib.Path(sys.argv[1]).read_text()) if each]
    settings = documented_settings()
    user = check_container(settings)
    check_systemd(settings)
    check_kubernetes(objects, settings, user)
    for fault in faults:
        print(f"check-deploy: {fault}", file=sys.stderr)
    print("deploy: unit, container file and manifests fit the settings and each other" if not faults else f"{len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
