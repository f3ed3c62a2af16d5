"""What a procedure is about, by the words of its title: the names that drills and lint speak of."""

import re

_TOPICS = (
    ("blue_green", r"\bblue\b.*\bgreen\b"),
    ("rollback", r"\broll(?:ing)?[ -]?back\b|\brevert (?:a |the )?(?:release|deploy)"),
    ("oom_killed", r"\boom\s?kill|\bout of memory\b|\boom\b"),
    ("crash_loop", r"crash\s?loop"),
    ("image_pull", r"image\s?pull|err ?image"),
    (
        "secret_rotation",
        r"\b(?:secrets?|passwords?|credentials?|keys?)\b.*\brotat|\brotat\w*\b.*\b(?:secret|password|credential|key)",
    ),
    ("certificate", r"\bcertificates?\b|\btls\b|\bcerts?\b"),
    ("maintenance_mode", r"\bmaintenance mode\b|\bmaintenance page\b"),
    ("debug_mode", r"\bdebug(?:ging)? (?:mode|log)"),
    ("recovery", r"\brecover|\brestor"),
    ("backup", r"\bbackups?\b|\bback up\b|\bsnapshot|\bdump\b"),
    ("scaling", r"\bscal(?:e|ing)\b|\bautoscal|\bhpa\b|\bvpa\b"),
    ("deployment", r"\bdeploy|\brelease\b|\brollout\b"),
    ("audit", r"\baudit\b"),
    ("health", r"\bhealth\b|\bstatus\b"),
    ("troubleshooting", r"\bissue\b|\bhigh\b|\bslow\b|\bfail|\bdown\b|\berror"),
)


def topic_of(*titles: str) -> str:
    """The topic of the first title that has one; "" if none has."""
    for title in titles:
        words = title.casefold()
        for topic, pattern in _TOPICS:
            if re.search(pattern, words):
                return topic
    return ""
