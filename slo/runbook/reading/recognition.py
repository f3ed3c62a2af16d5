"""Is a line a command, what a command prints, or words? Told by its content, never by its place."""

import re
import shlex

PROMPT = re.compile(
    r"^\s*(?:PS(?: [A-Za-z]:[^>]*| [/~][^>]*)?>"  # PS>, PS C:\Users>
    r"|\[[\w.@:~/ -]+\][$#%]"  # [root@host ~]#
    r"|[\w.@:~/\[\]-]*(?:[^\W\d]|[\])~]|-\d\.\d)[$#%]|\$|%|❯|➜)\s+(?=\S)"
)
# "# kubectl …" is a root prompt as often as a comment: only with a program behind it.
ROOT_PROMPT = re.compile(r"^\s*#\s+(?=(?:kubectl|curl|systemctl|docker|helm|etcdctl)\s+[a-z-])")
_BUILTINS = frozenset(
    """
    cd export source set unset echo exit read alias eval exec trap wait sleep test printf pushd
    popd true false umask ulimit type jobs bg fg return break continue shift local declare history
    """.split()  # noqa: SIM905 - a table of names
)
_PROGRAMS = frozenset(
    """
    kubectl oc helm docker docker-compose podman nerdctl crictl ctr k9s kubectx kubens kustomize
    kubeadm kind minikube k3d k3s k6 k argocd argo flux istioctl linkerd velero stern cilium
    calicoctl cmctl kubeseal eksctl gcloud gsutil bq aws az doctl terraform tofu terragrunt pulumi
    ansible ansible-playbook packer vault consul nomad boundary sops age gpg openssl certbot
    etcdctl etcdutl curl wget http httpie grpcurl ab wrk hey vegeta locust psql pg_dump pg_restore
    pg_dumpall pg_ctl pg_basebackup pg_isready patronictl pgbackrest barman wal-g createdb dropdb
    mysql mysqldump mysqladmin mariadb mongosh mongo mongodump mongorestore redis-cli redis-server
    cypher-shell neo4j-admin neo4j cqlsh nodetool clickhouse-client influx rabbitmqctl
    rabbitmq-diagnostics kafka-topics kafka-topics.sh kafka-consumer-groups
    kafka-consumer-groups.sh nats amtool promtool logcli systemctl journalctl service
    supervisorctl initctl rc-service ssh scp sftp rsync git gh glab hub make cmake npm npx yarn
    pnpm node pip pip3 pipx uv poetry python python2 python3 ruby bundle rake rails go cargo java
    mvn gradle php composer dotnet sudo su doas env time timeout nohup watch xargs find grep egrep
    zgrep rg awk sed jq yq cat less tail head cut sort uniq tr tee wc ls cp mv rm mkdir rmdir ln
    touch chmod chown df du free top htop ps kill pkill killall lsof ss netstat ip ifconfig
    iptables nft ping dig nslookup host traceroute mtr nc telnet tcpdump vmstat iostat iotop sar
    dmesg uptime uname mount umount fdisk lsblk mkfs dd tar gzip gunzip zip unzip base64 md5sum
    sha256sum crontab apt apt-get yum dnf apk brew snap dpkg rpm reboot shutdown halt nginx
    apachectl haproxy varnishadm logrotate screen tmux sysctl modprobe ethtool nsenter strace
    sqlplus mc s3cmd rclone restic borg pm2 bash sh zsh date hostname id whoami openstack nova
    heroku fly flyctl vercel netlify cf ibmcloud oci linode-cli hcloud tsh teleport snyk trivy
    skopeo crane buildah celery gunicorn uwsgi flask django-admin airflow dbt spark-submit hdfs
    hadoop yarn zkCli.sh
    """.split()  # noqa: SIM905
)
_ALONE = frozenset(
    [
        "exit",
        "logout",
        "ls",
        "pwd",
        "top",
        "htop",
        "reboot",
        "uptime",
        "df",
        "free",
        "whoami",
        "date",
        "dmesg",
        "lsblk",
        "kubens",
        "kubectx",
    ]
)
_PROSE = frozenset(
    """
    the a an is are was were be been that which this these those it its they you we your our for
    to of with and or but in on from by as at if when then must should can will may not has have
    needs need installed configured locally access should there here using via per der die das und
    oder mit für ist sind wird werden den dem ein eine le la les des est sont avec pour el los las
    con para es son o os um uma
    """.split()  # noqa: SIM905
)
_CONTROL = re.compile(
    r"^for (?:\w+ in |\(\()|^(?:while|until) .*(?:;|\bdo\b)|^if (?:\[|!|.*;\s*then\b)|^case .* in\b"
    r"|^function \w+|^[\w-]+\s*\(\)\s*\{"
)
_COMPARED = re.compile(r"^[\w ]+\s[<>]=?\s*\d+(?:\.\d+)?\s*%?$")  # uptime < 99%
_ASSIGNED = re.compile(r"^(?:export\s+)?[A-Za-z_]\w*=\S*")
_PATH = re.compile(
    r"^(?:\.{1,2}|~)?/[\w./~-]*\w(?:\s|$)|^[\w-]+(?:/[\w.-]+)*\.(?:sh|py|pl|rb|bash)(?:\s|$)"
)
_TABLE_HEAD = re.compile(r"^\s*[A-Z][A-Z0-9_()%/#-]*(?: [A-Z0-9_()%/-]+)*(?:\s{2,}|\t)[A-Z%]")
_DONE = re.compile(
    r"^(?:[\w.-]+/[\w.-]+|(?:pod|node|service|deployment|job|[a-z]+(?:\.[\w.]+)?) \"[^\"]+\")"
    r" (?:force )?(?:created|deleted|configured|unchanged|scaled|restarted|patched|cordoned"
    r"|uncordoned|drained|evicted|labeled|annotated|condition met|rolled back|image updated"
    r"|env updated|exposed|autoscaled|replaced|edited|successfully rolled out|already cordoned)\b"
)
_SAID = re.compile(
    r"^(?:Error|error:|ERROR|WARN(?:ING)?|Warning:|INFO|HTTP/\d|[<>*] |\d{4}-\d\d-\d\d[ T]\d\d:"
    r"|\d+ rows?\b|\(\d+ rows?\)|[-+|=]{4,}|total \d|[}\])],?\s*$|\"[\w.-]+\"\s*:|[{\[]\s*$"
    r"|\d+(?:\.\d+)?\s*$"
    r"|(?:OK|PONG|Waiting for|deployment |NAME:|LAST DEPLOYED:|STATUS:|REVISION:))"
)


def words_of(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=False)
    except ValueError:
        return line.split()


def is_command(line: str) -> bool:
    """Does the line call a program that we know, or one by its path, and is it no sentence?"""
    text = line.strip()
    if _COMPARED.search(text):
        return False
    if _CONTROL.match(text):
        return True
    rest = text
    while found := _ASSIGNED.match(rest):
        rest = rest[found.end() :].lstrip()
        if not rest:
            return True
    if _PATH.match(rest):
        return not is_prose(rest)
    first, _, after = rest.partition(" ")
    name = first.rpartition("/")[2]
    if name in _BUILTINS | _PROGRAMS | _ALONE:
        return (bool(after.strip()) or name in _ALONE) and not is_prose(rest)
    return False


def is_prose(text: str) -> bool:
    """ "kubectl configured for the cluster" is a sentence; an option or a path makes a command."""
    words = re.sub(r"\"[^\"]*\"|'[^']*'", "''", text).split()
    if len(words) > 1 and words[1][:1] in {"-", "/", "."}:
        return False
    plain = [w.casefold().strip(",.;:!?") for w in words[1:8]]
    # The last word may be a name: "kubectl delete pod a".
    small = sum(w in _PROSE for w in plain[: max(1, len(words) - 2)])
    if not small:
        return bool(re.search(r"[a-z]{2}[.!]$", text)) and not re.search(r"[/=:-]", text)
    signs = sum(bool(re.search(r"^-|[=/$|<>{}]|\d", w)) for w in words[1:])
    return small > signs or words[-1].endswith((".", "!", "?"))


def is_output(line: str) -> bool:
    """Does the line look like what a program prints: a table's head, a report, JSON, a log?"""
    text = line.strip()
    return bool(_TABLE_HEAD.match(line) or _DONE.match(text) or _SAID.match(text))


def is_table_head(line: str) -> bool:
    return bool(_TABLE_HEAD.match(line))


def is_columns(line: str) -> bool:
    """Two or more gaps of two spaces, as in the rows of a printed table."""
    return len(re.findall(r"\S(?:\s{2,}|\t)\S", line)) > 1


def plausible(line: str) -> bool:
    """Could the line be a call of a program that we do not know? It has options or paths."""
    words = line.strip().split()
    return (
        bool(words)
        and bool(re.fullmatch(r"[A-Za-z_.~/$][\w./~+${}-]*", words[0]))
        and not is_output(line)
        and not is_columns(line)
        and not is_prose(line)
        and (
            any(re.match(r"--?[A-Za-z]", w) for w in words[1:])
            or any(c in line for c in ("|", "$(", " > "))
        )
    )
