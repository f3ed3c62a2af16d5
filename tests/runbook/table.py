"""Every kubectl command of the runbook and how a cluster answers it.

Where the runbook's own wording is wrong, `fault` says why, and the expectation is the refusal that
a real cluster gives. The order is the runbook's, because the commands build on each other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.processes import kill_container
from tests.runbook.stage import Stage, eventually, fetch

RUN, FOLLOW, TERMINAL = "run", "follow", "terminal"
Step = Callable[[Stage], Any]


@dataclass(frozen=True, slots=True)
class Row:
    """`command` as in the runbook; `says` is a pattern of its output on either stream."""

    command: str
    says: str
    code: int | None = 0  # None: either, because kubectl itself does not wait for it
    fault: str = ""
    how: str = RUN
    typed: str = ""
    before: Step = lambda _: None
    after: Step = lambda _: None


# What must be so before, and what is so afterwards


def settled(stage: Stage) -> None:
    stage.settle()


def crashed(stage: Stage) -> None:
    """A pod whose container has ended once and runs again."""
    stage.settle()
    stage.pod = stage.pods()[0]["metadata"]["name"]
    (status,) = stage.get("pod", stage.pod)["status"]["containerStatuses"]
    kill_container(status)

    def again() -> bool:
        (state,) = stage.get("pod", stage.pod)["status"]["containerStatuses"]
        return state["restartCount"] > 0 and state["ready"]

    eventually(again)


def measured(stage: Stage) -> None:
    """Until there are readings of every node and pod: of young ones there are none yet."""
    eventually(lambda: stage.kubectl("top", "nodes", check=False).count("node-") == 2)
    eventually(
        lambda: len(stage.pods()) == stage.kubectl("top", "pods", check=False).count("bizra-api-")
    )


def not_just_restarted(stage: Stage) -> None:
    """kubectl refuses a second restart within the second that the annotation names."""

    def another_second() -> bool:
        template = stage.get("deployment", "bizra-api")["spec"]["template"]
        notes = template["metadata"].get("annotations") or {}
        last = notes.get("kubectl.kubernetes.io/restartedAt")
        return last is None or datetime.fromisoformat(last) < datetime.now(UTC) - timedelta(
            seconds=1
        )

    eventually(another_second)


def image_is(tag: str) -> Step:
    def check(stage: Stage) -> None:
        spec = stage.get("deployment", "bizra-api")["spec"]["template"]["spec"]
        assert spec["containers"][0]["image"] == f"ghcr.io/bizra/bizra-omega:{tag}"

    return check


def as_in_production(stage: Stage) -> None:
    """The limits of one machine are below what the runbook asks for."""
    stage.kubectl("set", "resources", "deployment/bizra-api", "--limits=cpu=2,memory=4Gi")


def one_machine_again(stage: Stage) -> None:
    stage.kubectl("scale", "deployment", "bizra-api", "--replicas=3")
    stage.settle()


def green_answers(_: Stage) -> None:
    assert '"status"' in fetch("http://127.0.0.1:8081/health")


def green_runs(stage: Stage) -> None:
    stage.kubectl("scale", "deployment", "bizra-api-green", "--replicas=1")
    stage.kubectl("rollout", "status", "deployment/bizra-api-green", "--timeout=120s")


def green_is_gone(stage: Stage) -> None:
    stage.kubectl("delete", "-f", "k8s/deployment-green.yaml")


def pod_is_replaced(stage: Stage) -> None:
    assert stage.pod not in [p["metadata"]["name"] for p in stage.pods()]
    stage.settle()


def graph_is_down(stage: Stage) -> None:
    eventually(lambda: not stage.get("pods", "-l", "app=neo4j")["items"])


def graph_has_three(stage: Stage) -> None:
    def ready() -> bool:
        return stage.get("statefulset", "neo4j").get("status", {}).get("readyReplicas") == 3

    eventually(ready)
    names = [p["metadata"]["name"] for p in stage.pods("app=neo4j")]
    assert names == ["neo4j-0", "neo4j-1", "neo4j-2"]
    stage.kubectl("scale", "statefulset", "neo4j", "--replicas=1")


def index_at_hand(stage: Stage) -> None:
    """What the download before it would have brought."""
    stage.settle()
    source = f"{stage.pods()[0]['metadata']['name']}:/data/faiss/main.index"
    stage.kubectl("cp", source, "faiss-recovery.index")


def certificate_again(stage: Stage) -> None:
    stage.kubectl("wait", "--for=condition=Ready", "certificate/bizra-tls", "--timeout=60s")


def page_is_shown(stage: Stage) -> None:
    stage.kubectl("rollout", "status", "deployment/maintenance-page", "--timeout=60s")


def page_is_gone(stage: Stage) -> None:
    assert not stage.kubectl("get", "deployment,service,cm", "-l", "app=maintenance-page").strip()


def log_level_is(level: str) -> Step:
    def check(stage: Stage) -> None:
        spec = stage.get("deployment", "bizra-api")["spec"]["template"]["spec"]
        env = {e["name"]: e.get("value") for e in spec["containers"][0]["env"]}
        assert env["LOG_LEVEL"] == level

    return check


_NO_BLUE = "the Deployment is called bizra-api, blue is one of its labels"
_NO_SERVICE = "the Service is called bizra-api-service"
_NO_INGRESS = "the Ingress is called bizra-api-ingress"
_NO_BACKUP = "Neo4j 5 has `neo4j-admin database backup`; the command without `database` is gone"
_NO_FOLDER = "nothing was backed up, and no volume is mounted at /backup"
_POD_NAMES = r"(?s)bizra-api-\S+ +1/1 +Running.*neo4j-0 +1/1 +Running"

TABLE = [
    # Kubernetes Status Commands
    Row(
        "kubectl get all -n bizra-system",
        r"(?s)pod/neo4j-0 .*service/bizra-api-service +LoadBalancer.*deployment.apps/bizra-api +3/3"
        r".*replicaset.apps/bizra-api-.*statefulset.apps/neo4j +1/1"
        r".*horizontalpodautoscaler.autoscaling/bizra-api-hpa",
    ),
    Row(
        "kubectl get pods -n bizra-system -o wide",
        r"(?s)NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n"
        r".*neo4j-0 +1/1 +Running +0 +\S+ +127\.\S+ +node-[12] +<none> +<none>",
    ),
    Row(
        "kubectl logs -f deployment/bizra-api -n bizra-system",
        r"INFO bizra: graph is up",
        how=FOLLOW,
    ),
    Row(
        "kubectl logs deployment/bizra-api -n bizra-system --previous",
        r'previous terminated container "bizra-api" in pod "bizra-api-\S+" not found',
        code=1,
        fault="it picks one pod of many, which need not be the one that crashed",
    ),
    Row(
        "kubectl get hpa -n bizra-system",
        r"NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE\n"
        r"bizra-api-hpa +Deployment/bizra-api +cpu: \S+/70%, memory: \S+/80% \+ 1 more",
    ),
    Row(
        "kubectl top pods -n bizra-system",
        r"(?s)NAME +CPU\(cores\) +MEMORY\(bytes\).*\nbizra-api-\S+ +\d+m +\d+Mi",
        before=measured,
    ),
    Row(
        "kubectl top nodes",
        r"(?s)NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\).*\nnode-1 +\d+m +\d+%",
    ),
    Row(
        "kubectl describe deployment bizra-api -n bizra-system",
        r"(?s)Replicas: +3 desired \| 3 updated \| 3 total \| 3 available \| 0 unavailable"
        r".*RollingUpdateStrategy: +25% max unavailable, 25% max surge"
        r".*Available +True +MinimumReplicasAvailable.*NewReplicaSet: +bizra-api-\S+ \(3/3 rep",
    ),
    Row(
        "kubectl get events -n bizra-system --sort-by='.lastTimestamp'",
        r"(?s)LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n.*Normal +Scheduled +pod/.*Started +pod/",
    ),
    # Manual Deployment
    Row(
        "kubectl set image deployment/bizra-api \\\n"
        "  bizra-api=ghcr.io/bizra/bizra-omega:v1.x.x \\\n"
        "  -n bizra-system",
        r"deployment.apps/bizra-api image updated",
        after=image_is("v1.x.x"),
    ),
    Row(
        "kubectl rollout status deployment/bizra-api -n bizra-system",
        r'deployment "bizra-api" successfully rolled out',
    ),
    Row("kubectl get pods -n bizra-system -l app=bizra-api", r"bizra-api-\S+ +1/1 +Running"),
    # Rollback Procedure
    Row(
        "kubectl rollout history deployment/bizra-api -n bizra-system",
        r"REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>",
    ),
    Row(
        "kubectl rollout undo deployment/bizra-api -n bizra-system",
        r"deployment.apps/bizra-api rolled back",
        after=image_is("v1.0.0"),
    ),
    Row(
        "kubectl rollout undo deployment/bizra-api -n bizra-system --to-revision=3",
        r"skipped rollback \(current template already matches revision 3\)",
        fault="the undo before it has just made revision 1 the third",
        before=settled,
    ),
    Row(
        "kubectl rollout status deployment/bizra-api -n bizra-system",
        r'deployment "bizra-api" successfully rolled out',
    ),
    # Blue-Green Deployment
    Row(
        "kubectl apply -f k8s/deployment-green.yaml",
        r"deployment.apps/bizra-api-green created\nservice/bizra-api-green created",
        after=green_runs,
    ),
    Row(
        "kubectl port-forward svc/bizra-api-green 8081:80 -n bizra-system",
        r"Forwarding from 127.0.0.1:8081 -> 8000",
        how=FOLLOW,
        after=green_answers,
    ),
    Row(
        "kubectl patch service bizra-api -n bizra-system \\\n"
        """  -p '{"spec":{"selector":{"version":"green"}}}'""",
        r'\(NotFound\): services "bizra-api" not found',
        code=1,
        fault=_NO_SERVICE,
    ),
    Row(
        "kubectl delete deployment bizra-api-blue -n bizra-system",
        r'\(NotFound\): deployments.apps "bizra-api-blue" not found',
        code=1,
        fault=_NO_BLUE,
        after=green_is_gone,
    ),
    # Horizontal Pod Autoscaler
    Row("kubectl get hpa bizra-api-hpa -n bizra-system", r"bizra-api-hpa +Deployment/bizra-api"),
    Row(
        "kubectl describe hpa bizra-api-hpa -n bizra-system",
        r"(?s)Reference: +Deployment/bizra-api.*resource cpu on pods.*/ 70%"
        r'.*"http_requests_per_second" on pods: +\S+ / 1k.*Min replicas: +3\nMax replicas: +6',
    ),
    Row(
        "kubectl scale deployment bizra-api -n bizra-system --replicas=20",
        r"deployment.apps/bizra-api scaled",
        after=one_machine_again,
    ),
    Row(
        "kubectl annotate deployment bizra-api -n bizra-system \\\n"
        """  kubernetes.io/change-cause="Reset to HPA control\"""",
        r"deployment.apps/bizra-api annotated",
        fault="an annotation changes nothing: the autoscaler never let go",
    ),
    # Vertical Pod Autoscaler
    Row(
        "kubectl describe vpa bizra-api-vpa -n bizra-system",
        r"(?s)Kind: +VerticalPodAutoscaler.*Target Ref:.*Name: +bizra-api\n.*Update Mode: +Off",
    ),
    Row(
        "kubectl patch deployment bizra-api -n bizra-system \\\n"
        """  -p '{"spec":{"template":{"spec":{"containers":[{\n"""
        """    "name":"bizra-api",\n"""
        """    "resources":{"requests":{"cpu":"500m","memory":"1Gi"}}\n"""
        """  }]}}}}'""",
        r"deployment.apps/bizra-api patched$",
        before=as_in_production,
    ),
    # SEV1 - System Down
    Row("kubectl get pods -n bizra-system", _POD_NAMES, before=settled),
    Row(
        "kubectl get events -n bizra-system --sort-by='.lastTimestamp'",
        r"(?s)ScalingReplicaSet +deployment/bizra-api",
    ),
    Row(
        "kubectl logs -l app=bizra-api -n bizra-system --tail=100",
        r"INFO bizra: graph is up",
    ),
    # Pods in CrashLoopBackOff
    Row(
        "kubectl describe pod <pod-name> -n bizra-system",
        r"(?s)Last State: +Terminated\n +Reason: +Error\n +Exit Code: +137\n.*Restart Count: +1",
        before=crashed,
    ),
    Row("kubectl logs <pod-name> -n bizra-system --previous", r"INFO bizra: graph is up"),
    Row(
        "kubectl delete pod <pod-name> -n bizra-system",
        r'pod "bizra-api-\S+" deleted',
        after=pod_is_replaced,
    ),
    # OOMKilled
    Row(
        "kubectl patch deployment bizra-api -n bizra-system \\\n"
        """  -p '{"spec":{"template":{"spec":{"containers":[{\n"""
        """    "name":"bizra-api",\n"""
        """    "resources":{"limits":{"memory":"4Gi"}}\n"""
        """  }]}}}}'""",
        r"deployment.apps/bizra-api patched \(no change\)",
        fault="4Gi is the limit that the pods have already",
    ),
    # ImagePullBackOff
    Row(
        "kubectl get secrets -n bizra-system",
        r"(?s)ghcr-credentials +kubernetes.io/dockerconfigjson +1.*neo4j-credentials +Opaque +1",
    ),
    Row(
        "kubectl get secret ghcr-credentials -n bizra-system -o yaml",
        r"(?s)apiVersion: v1\ndata:\n  .dockerconfigjson: \S+\nkind: Secret",
    ),
    # Neo4j Backup
    Row(
        "kubectl exec -it neo4j-0 -n bizra-system -- \\\n"
        "  neo4j-admin backup --backup-dir=/backup --database=neo4j",
        r"(?s)Unknown options: .*Usage: \S*neo4j-admin backup",
        code=2,
        fault=_NO_BACKUP,
        how=TERMINAL,
    ),
    Row(
        "kubectl exec -it neo4j-0 -n bizra-system -- ls -la /backup",
        r"cannot access '/backup': No such file or directory",
        code=2,
        fault=_NO_FOLDER,
        how=TERMINAL,
    ),
    Row(
        "kubectl cp bizra-system/neo4j-0:/backup ./neo4j-backup",
        r"tar: /backup: Cannot stat: No such file or directory",
        code=None,
        fault=_NO_FOLDER,
    ),
    # Neo4j Recovery
    Row(
        "kubectl scale statefulset neo4j -n bizra-system --replicas=0",
        r"statefulset.apps/neo4j scaled",
        after=graph_is_down,
    ),
    Row(
        "kubectl cp ./neo4j-backup bizra-system/neo4j-0:/backup",
        r"neo4j-backup doesn't exist in local filesystem",
        code=1,
        fault="there is no backup; and no pod to copy it to, after scaling to 0",
    ),
    Row(
        "kubectl exec -it neo4j-0 -n bizra-system -- \\\n"
        "  neo4j-admin restore --from=/backup --database=neo4j --force",
        r'pods "neo4j-0" not found',
        code=1,
        fault="the step before it has deleted the pod",
        how=TERMINAL,
    ),
    Row(
        "kubectl scale statefulset neo4j -n bizra-system --replicas=3",
        r"statefulset.apps/neo4j scaled",
        after=graph_has_three,
    ),
    # FAISS Index Recovery
    Row(
        "for pod in $(kubectl get pods -n bizra-system -l app=bizra-api -o name); do\n"
        "  kubectl cp faiss-recovery.index bizra-system/${pod#pod/}:/data/faiss/main.index\n"
        "done",
        r"^\s*$|Defaulted container",
        before=index_at_hand,
    ),
    Row(
        "kubectl rollout restart deployment/bizra-api -n bizra-system",
        r"deployment.apps/bizra-api restarted",
        before=not_just_restarted,
    ),
    # Certificate Management
    Row(
        "kubectl get certificate -n bizra-system",
        r"NAME +READY +SECRET +AGE\nbizra-tls +True +bizra-tls",
    ),
    Row(
        "kubectl delete certificate bizra-tls -n bizra-system",
        r'certificate.cert-manager.io "bizra-tls" deleted',
    ),
    Row(
        "kubectl apply -f k8s/ingress.yaml",
        r"ingress.networking.k8s.io/bizra-api-ingress (unchanged|configured)",
        fault="it renews nothing: the Secret is still there and still good",
        after=certificate_again,
    ),
    Row(
        "kubectl describe certificate bizra-tls -n bizra-system",
        r"(?s)Kind: +Certificate.*Type: +Ready.*Secret Name: +bizra-tls|Secret Name: +bizra-tls",
    ),
    # Secret Rotation
    Row(
        "kubectl create secret generic neo4j-credentials \\\n"
        "  -n bizra-system \\\n"
        "  --from-literal=NEO4J_PASSWORD='<new-password>' \\\n"
        "  --dry-run=client -o yaml | kubectl apply -f -",
        r"secret/neo4j-credentials configured",
        fault="it changes what clients say, not what the database knows",
    ),
    Row(
        "kubectl create secret generic api-secrets \\\n"
        "  -n bizra-system \\\n"
        "  --from-literal=SECRET_KEY='<new-key>' \\\n"
        "  --dry-run=client -o yaml | kubectl apply -f -",
        r"secret/api-secrets configured",
    ),
    Row(
        "kubectl rollout restart deployment/bizra-api -n bizra-system",
        r"deployment.apps/bizra-api restarted",
        before=not_just_restarted,
    ),
    # Security Audit Commands
    Row(
        "kubectl get pods -n bizra-system -o json | jq "
        "'.items[] | select(.spec.securityContext.privileged==true)'",
        r"^\s*$",
        fault="privileged is a field of containers: on pods it is never found",
    ),
    Row(
        "kubectl get networkpolicies -n bizra-system",
        r"NAME +POD-SELECTOR +AGE\nbizra-api +app=bizra-api",
    ),
    Row(
        "kubectl auth can-i --list --as=system:serviceaccount:bizra-system:bizra-api",
        r"(?s)Resources +Non-Resource URLs +Resource Names +Verbs\n.*selfsubjectaccessreviews",
        fault="without -n it asks about the namespace default, where the account may do nothing",
    ),
    # High Memory Usage
    Row(
        "kubectl top pods -n bizra-system",
        r"bizra-api-\S+ +\d+m +\d+Mi",
        before=measured,
    ),
    Row(
        'kubectl describe pod <pod-name> -n bizra-system | grep -A5 "Last State"',
        r"Last State: +Terminated\n +Reason: +Error\n +Exit Code: +137",
        before=crashed,
    ),
    # Slow FAISS Queries
    Row(
        "kubectl exec -it deployment/bizra-api -n bizra-system -- \\\n"
        "  python -c \"import faiss; idx = faiss.read_index('/data/faiss/main.index'); "
        'print(idx.ntotal)"',
        r"(?m)^\d{4,}\r?$",
        how=TERMINAL,
    ),
    # Neo4j Connection Failures
    Row("kubectl logs neo4j-0 -n bizra-system --tail=50", r"\S"),
    Row(
        'kubectl exec -it neo4j-0 -n bizra-system -- cypher-shell "CALL dbms.cluster.overview()"',
        r"(?s)username: .*(?:unauthorized|incorrect authentication details)",
        code=1,
        fault="it asks for a password; and the procedure is gone, Neo4j 5 has SHOW DATABASES",
        how=TERMINAL,
        typed="neo4j\nnot-the-password\n",
    ),
    # Debug Mode
    Row(
        "kubectl set env deployment/bizra-api -n bizra-system LOG_LEVEL=DEBUG",
        r"deployment.apps/bizra-api env updated",
        after=log_level_is("DEBUG"),
    ),
    Row(
        "kubectl exec -it deployment/bizra-api -n bizra-system -- bash",
        r"LOG_LEVEL is DEBUG",
        how=TERMINAL,
        before=settled,
        typed="echo LOG_LEVEL is $LOG_LEVEL\nexit\n",
    ),
    Row(
        "kubectl set env deployment/bizra-api -n bizra-system LOG_LEVEL=INFO",
        r"deployment.apps/bizra-api env updated",
        after=log_level_is("INFO"),
    ),
    # Maintenance Mode
    Row(
        "kubectl scale deployment bizra-api -n bizra-system --replicas=3",
        r"deployment.apps/bizra-api scaled",
    ),
    Row(
        "kubectl patch ingress bizra-ingress -n bizra-system \\\n"
        """  -p '{"metadata":{"annotations":"""
        """{"nginx.ingress.kubernetes.io/custom-http-errors":"503"}}}'""",
        r'\(NotFound\): ingresses.networking.k8s.io "bizra-ingress" not found',
        code=1,
        fault=_NO_INGRESS,
    ),
    Row(
        "kubectl apply -f k8s/maintenance-page.yaml",
        r"deployment.apps/maintenance-page created",
        after=page_is_shown,
    ),
    Row(
        "kubectl delete -f k8s/maintenance-page.yaml",
        r'deployment.apps "maintenance-page" deleted',
        after=page_is_gone,
    ),
    Row(
        "kubectl scale deployment bizra-api -n bizra-system --replicas=12",
        r"deployment.apps/bizra-api scaled",
    ),
    Row(
        "kubectl patch ingress bizra-ingress -n bizra-system \\\n"
        """  -p '{"metadata":{"annotations":"""
        """{"nginx.ingress.kubernetes.io/custom-http-errors":""}}}'""",
        r'\(NotFound\): ingresses.networking.k8s.io "bizra-ingress" not found',
        code=1,
        fault=_NO_INGRESS,
        after=lambda stage: stage.kubectl("scale", "deployment", "bizra-api", "--replicas=3"),
    ),
]
