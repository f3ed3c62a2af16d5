"""Commands that the runbook does not have and people use, on the same stack."""

import json

from tests.runbook.stage import Stage, eventually
from tests.runbook.table import TERMINAL, Row, settled

_IN = "-n bizra-system"
_SMALL = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: small, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: small}}
  template:
    metadata: {labels: {app: small}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "busybox:1", command: [sh, -c, "sleep 1000 & wait"]}]
"""


def small(stage: Stage) -> None:
    (stage.home / "small.yaml").write_text(_SMALL)
    (stage.home / "file.txt").write_text("carried\n")


def small_runs(stage: Stage) -> None:
    stage.kubectl("rollout", "status", "deployment/small", "-n", "default", "--timeout=60s")


def node_is_free(stage: Stage) -> None:
    def moved() -> bool:
        pods = stage.get("pods", "-l", "app=small", "-n", "default")["items"]
        return {p["spec"].get("nodeName") for p in pods} == {"node-1"}

    eventually(moved)
    stage.kubectl("uncordon", "node-2")


def replicas_are(wanted: int) -> Row:
    patch = json.dumps([{"op": "replace", "path": "/spec/replicas", "value": wanted}])
    command = f"kubectl patch deployment small --type=json -p '{patch}'"
    return Row(command, r"deployment.apps/small patched", after=small_runs)


OTHERS = [
    # Reading
    Row(
        f"timeout 3 kubectl get pods {_IN} -w & sleep 1; "
        f"kubectl label pod neo4j-0 {_IN} seen=yes; wait",
        r"(?s)neo4j-0 +1/1 +Running.*neo4j-0 +1/1 +Running",
        before=settled,
    ),
    Row(
        f"kubectl get deployment bizra-api {_IN} -o jsonpath='{{.status.readyReplicas}}'",
        r"^3$",
    ),
    Row(f"kubectl get deployments {_IN} -o name", r"deployment.apps/bizra-api\n"),
    Row(
        f"kubectl get pods {_IN} -l 'app in (redis,neo4j),!legacy' -o name",
        r"^pod/neo4j-0\npod/redis-\S+$",
    ),
    Row(
        "kubectl get pods -A --field-selector=spec.nodeName=node-1,status.phase=Running -o name",
        r"pod/",
    ),
    Row("kubectl get nodes -o wide", r"node-1 +Ready +\S+ +\S+ +v1\.37\S+ +127\.\S+"),
    Row(
        f"kubectl get all,cm,secret,ing,pvc,sa,role,rolebinding,pdb,hpa,vpa,netpol {_IN}",
        r"(?s)poddisruptionbudget.policy/bizra-api-pdb +80% +N/A",
    ),
    Row(
        "kubectl describe node node-1",
        r"(?s)Conditions:.*Ready +True.*Non-terminated Pods:.*Allocated resources:",
    ),
    Row(
        f"kubectl describe ingress bizra-api-ingress {_IN}",
        r"(?s)api.bizra.io.*bizra-api-service:80 \(127\.",
    ),
    Row(
        f"kubectl describe service bizra-api-service {_IN}",
        r"(?s)Type: +LoadBalancer.*Endpoints: +127\.\S+:8000",
    ),
    Row(
        "kubectl explain deployment.spec.strategy",
        r"(?s)KIND: +Deployment\nVERSION: +v1.*rollingUpdate.*type",
    ),
    Row("kubectl explain certificate.spec", r"KIND: +Certificate"),
    Row(
        "kubectl auth can-i delete pods --as=system:serviceaccount:bizra-system:bizra-api",
        r"^no\n$",
        code=1,
    ),
    Row(
        f"kubectl auth can-i list cm --as=system:serviceaccount:bizra-system:bizra-api {_IN}",
        r"^yes\n$",
    ),
    Row("kubectl auth whoami", r"Username +\S+"),
    Row("kubectl api-resources --api-group=apps -o name", r"deployments.apps"),
    Row("kubectl version", r"Server Version: v1\.37"),
    # Declaring
    Row(
        "kubectl apply -f small.yaml",
        r"deployment.apps/small created",
        before=small,
        after=small_runs,
    ),
    Row("kubectl diff -f small.yaml", r"^$"),
    Row(
        "sed 's/replicas: 2/replicas: 3/' small.yaml | kubectl diff -f -",
        r"-  replicas: 2\n\+  replicas: 3",
        code=1,
    ),
    Row(
        "kubectl apply -f small.yaml --dry-run=server",
        r"deployment.apps/small unchanged \(server dry run\)",
    ),
    Row(
        "kubectl apply -k overlays/embedded",
        r"deployment.apps/bizra-api (configured|unchanged)",
    ),
    Row("kubectl diff -k overlays/embedded", r"^$"),
    # Changing
    Row("kubectl label deployment small tier=back", r"deployment.apps/small labeled"),
    Row("kubectl annotate deployment small why=test", r"deployment.apps/small annotated"),
    Row(
        "kubectl annotate deployment small why=else",
        r"--overwrite is false but found the following declared annotation",
        code=1,
    ),
    Row(
        "kubectl scale deployment small --replicas=3 --current-replicas=2",
        r"small scaled",
        after=small_runs,
    ),
    replicas_are(2),
    Row(
        "kubectl patch deployment small --type=merge "
        """-p '{"metadata":{"labels":{"tier":null}}}'""",
        r"small patched",
    ),
    Row("kubectl rollout restart deployment/small", r"small restarted", after=small_runs),
    Row(
        "kubectl rollout history deployment/small --revision=2",
        r"(?s)small with revision #2.*restartedAt",
    ),
    Row(
        "kubectl set resources deployment/small --limits=memory=64Mi",
        r"small resource requirements updated",
        after=small_runs,
    ),
    Row(
        "kubectl rollout pause deployment/small && kubectl rollout resume deployment/small",
        r"(?s)paused.*resumed",
    ),
    Row(
        "kubectl wait --for=condition=Available deployment/small --timeout=30s",
        r"small condition met",
    ),
    Row("kubectl expose deployment small --port=80", r"service/small exposed"),
    Row(
        "kubectl autoscale deployment small --min=1 --max=3 --cpu=80%",
        r"horizontalpodautoscaler.autoscaling/small autoscaled",
    ),
    Row("kubectl delete hpa,service small", r'service "small" deleted'),
    # Inside
    Row("kubectl exec deploy/small -- sh -c 'exit 5'", r"exit code 5", code=5),
    Row(
        "pod=$(kubectl get pod -l app=small -o jsonpath={.items[0].metadata.name}); "
        "kubectl cp file.txt $pod:/tmp/file.txt && kubectl exec $pod -- cat /tmp/file.txt "
        "&& kubectl cp $pod:/tmp/file.txt back.txt && cmp file.txt back.txt",
        r"carried",
    ),
    Row("kubectl exec -it deploy/small -- sh", r"42", how=TERMINAL, typed="echo $((6*7))\nexit\n"),
    # Nodes
    Row("kubectl cordon node-2 && kubectl get node node-2", r"Ready,SchedulingDisabled"),
    Row(
        "kubectl drain node-2 --pod-selector=app=small --ignore-daemonsets --timeout=60s",
        r"node/node-2 (already cordoned|drained)",
        after=node_is_free,
    ),
    Row("kubectl delete -f small.yaml --cascade=foreground", r'deployment.apps "small" deleted'),
    Row(
        "kubectl wait --for=delete pod -l app=small --timeout=60s", r"condition met|^$|no matching"
    ),
]
