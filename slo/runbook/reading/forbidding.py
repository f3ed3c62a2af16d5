"""What a sentence says of the commands in it: run this, never that, or this instead of that.

A command that may be forbidden is never taken for a step: in doubt it is only mentioned. The words
are those of English, German, French, Spanish and Portuguese.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from slo.runbook.reading.markdown import CODE, END_CODE, END_STRUCK, STRUCK


class Standing(Enum):
    TOLD = auto()  # the sentence tells to run it
    NEUTRAL = auto()
    DOUBTFUL = auto()  # "do not go on until A is done": neither told nor forbidden
    FORBIDDEN = auto()


@dataclass(frozen=True, slots=True)
class Said:
    """A code of a text, with what the text says of it. `row` counts the text's lines from 0."""

    code: str
    row: int
    standing: Standing
    words: str  # of the sentence
    imperative: bool  # an order: "run A", or nothing but A


_ADVERBS = (
    r"(?:(?:ever|just|simply|directly|manually|blindly|please|also|under any circumstances|try to"
    r"|attempt to|be tempted to|to|jemals|einfach|surtout)[\s,]+)*"
)
_KEEP_IN_MIND = (
    r"(?:forget|hesitate|worry|panic|miss|skip|omit|neglect|fail|be afraid|need|have|see|know|want"
    r"|require|exist|appear|respond|recover|come|become|match|work|show|find|vergessen|oublie[zr]?"
    r"|hésite[zr]?|olvid\w+|dude|duden|hesite|esque[cç]\w+)\b"
)
# An order not to do something. Not "need not", and not "do not forget to".
_ORDER = re.compile(
    rf"""
    \b(?:do\s+not|don['’]?t|dont|never|must\s*(?:not|n['’]t)|should\s*(?:not|n['’]t)|shall\s+not
      |may\s+not|ought\s+not|(?:is|are)\s+not\s+(?:allowed|permitted|safe|ok|okay)
      |under\s+no\s+circumstances?|on\s+no\s+account|please\s+not|better\s+not|no\s+longer)
      (?![\s,]+{_ADVERBS}{_KEEP_IN_MIND})
    |(?<!\bto\s)(?<!\bthis\s)\b(?:avoid|refrain|abstain|beware|stop\s+(?:using|running|doing))\b
    |\b(?:forbidden|prohibited|disallowed|verboten|untersagt|interdit\w*|proibid[oa]s?|prohibid[oa]s?)\b
    |\b(?:nie|niemals|keinesfalls|keinesfalls)\b|\bauf\s+keinen\s+fall\b|\bunter\s+keinen\s+umständen\b
    |(?<!\bzu\s)\bvermeiden?\b|\b(?:darf|dürfen|soll(?:te)?n?)\s+(?:man\s+)?nicht\b|\bkein(?:en?)?\s*$
    |\bn(?:e\s+|['’])(?:\w+[\s-]+){{1,4}}?(?:pas|jamais|plus)\b(?!\s+(?:oublier|hésiter))|\bne\s+(?:pas|jamais)\b
    |\bjamais\b|\bjamás\b|\b(?:évite[zr]|proscri\w+)\b|\bil\s+ne\s+faut\b
    |\bnunca\b|\bevit(?:e|en|ar|em)\b
    |\b(?:no|não)\s+(?:se\s+)?(?:deben?|debe\s+|devem?|deve\s+|puede|pode|hay\s+que)?\s*(?:se\s+)?
      (?:ejecut|us[ea]|utili[zc]|lan[czç]|borr|elimin|hag|ha[cz]e|reinici|corr|apli[qc]|emple|execut
        |rod[ae]|remov|apagu|fa[çz]|deten|paren?\b|par[ae]r?\b)
    |\bno\s*$
    """,
    re.IGNORECASE | re.VERBOSE,
)
# The code right behind these words is what is to be replaced.
_REPLACED = re.compile(
    r"(?:\bprefer\b.*\bover|\b(?:instead\s+of|rather\s+than|in\s+place\s+of|in\s+lieu\s+of|not|statt|anstatt|anstelle\s+von"
    r"|an\s*stelle\s+von|au\s+lieu\s+(?:de|d['’])|plutôt\s+que|en\s+(?:lugar|vez)\s+de|em\s+vez\s+de"
    r"|ao\s+invés\s+de|em\s+lugar\s+de|and\s+not|nicht|pas|non))"
    r"\s*(?:(?:a|an|the|plain|using|running|doing|calling|of|utiliser|exécuter|lancer|usar|ejecutar"
    r"|executar|den|das|die|le|la|el|o|os)\s+){0,3}['’]?\s*$",
    re.IGNORECASE,
)
# What follows the code forbids it.
_AFTER = re.compile(
    r"""^[\s)"'”*_]*(?:\([^)]*\)\s*)?(?:
    (?:(?:is|are|was|were|has\s+been|ist|sind|est|sont|es|está|son|é|são)\s+)?(?:\w+ly\s+)?
      (?:forbidden|prohibited|banned|not\s+(?:allowed|permitted|safe|supported|an\s+option)|unsafe
      |off[\s-]limits|disallowed|a\s+bad\s+idea|wrong|deprecated|obsolete|dangerous|destructive
      |verboten|untersagt|gefährlich|interdit\w*|dangereu\w+|prohibid[oa]s?|peligros[oa]s?
      |proibid[oa]s?|perigos[oa]s?)\b
    |(?:must|should|shall|may|can|ought)\s*(?:not|never|n['’]t)\b|(?:is|are)\s+never\b|never\b
    |(?:darf|dürfen|soll(?:te)?n?|sollte)\s+(?:\w+\s+)?(?:nicht|nie|niemals)\b
    |(?:hier\s+)?(?:nicht|nie|niemals|keinesfalls|auf\s+keinen\s+fall)\b(?!\s+(?:startet|läuft|reagiert|antwortet|hilft))
    |ne\s+(?:doit|doivent|peut)\b|est\s+à\s+(?:éviter|proscrire)
    |(?:no|não)\s+(?:se\s+)?(?:debe|deve|puede|pode)\w*\b|(?:nunca|jamais|jamás)\b
    |vermeiden\b
    |[^.]{0,80}?\b(?:never|do\s+not|don['’]?t)\b(?:\s+(?:ever\s+)?\w+\s+(?:this|it|that)\b[^,]*)?\W*$)""",
    re.IGNORECASE | re.VERBOSE,
)
_CONDITION = re.compile(
    r"\b(?:if|when|whenever|while|unless|until|once|because|since|where|after|before|in\s+case"
    r"|that|which|who|whose|so\s+that|wenn|falls|sobald|solange|bis|weil|dass|damit|nachdem|bevor|si"
    r"|s['’]il|lorsque|quand|tant\s+que|parce\s+que|cuando|mientras|porque|se|quando|enquanto|caso)\b",
    re.IGNORECASE,
)
# Where one thought ends and the next may turn round: "never A; use B", "not A, run B instead".
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\s+[—–]\s+|\s+-\s+|\n(?=\s*[-*•]\s)")
_TURN = re.compile(
    r"[,:]?\s+\b(?:but|instead|rather|use|run|execute|prefer|sondern|stattdessen|nutze|verwende[nt]?|mais|utilise[zr]"
    r"|préfére[zr]|sino|pero|utilice|prefiera|mas|prefira|utilize)\b(?!\s+of\b|\s+than\b|\s+(?:it\s+)?to\b)",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[,:]\s+|\s+\b(?:then|dann|alors|entonces|então)\b\s+")
_TELLS = re.compile(
    r"\b(?:run|running|execute|type|issue|enter|invoke|use|using|apply|call|do|with|via|by|try|then|and"
    r"|or|afterwards|first|next|finally|führe[n]?|ausführen|nutze[n]?|verwende[nt]?|mit|exécute[zr]"
    r"|lance[zr]|utilise[zr]|avec|ejecut[ea]\w*|us[ea]r?|con|execut[ea]\w*|rode|com)\W*$|:\s*$",
    re.IGNORECASE,
)
_IMPERATIVE = re.compile(
    r"(?:^\W*|[,:;]\s+|\b(?:then|please|and|first|next|finally|now|afterwards)\s+)"
    r"(?:run|execute|use|type|issue|enter|invoke|apply|call|try|restart|check|verify|inspect|start"
    r"|stop|scale|delete|drain|list|show|get|confirm|restore|führen? sie|nutzen? sie|exécute[zr]"
    r"|lance[zr]|utilise[zr]|ejecut[ea]n?|use|execute|rode)\b[^,]*$",
    re.IGNORECASE,
)
# "Bad:", "Don't:", "❌", as a title of what follows.
_BAD_LABEL = re.compile(
    r"""^\W*(?:
    (?:bad|wrong|incorrect|never|don['’]?ts?|do\s+not|not\s+(?:this|like\s+this)|avoid|forbidden
      |prohibited|anti-?patterns?|unsafe|falsch|schlecht|nicht\s+so|verboten|mauvais\w*|incorrecte?
      |à\s+(?:éviter|ne\s+pas\s+faire)|interdit|mal|incorrecto|prohibido|evitar|errado|ruim|proibido|mau
      )(?:\s+(?:example|way|practice|idea|beispiel|exemple|ejemplo|exemplo)s?)?\s*(?:[:!]|$)
    |(?:things?\s+)?(?:what\s+)?(?:not\s+to|never\s+to|to\s+avoid)(?:\s+(?:do|run|use))?\s*:?\s*$
    |(?:commands?\s+(?:to\s+avoid|(?:you\s+)?(?:must|should)\s+(?:never|not)\b.*)
      |(?:forbidden|prohibited|verbotene|prohibid[oa]s|proibid[oa]s)\s+\w+|commandes\s+interdites
      |comandos\s+(?:prohibidos|proibidos))\s*:?\s*$
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_BAD_SIGN = re.compile(
    r"^\s*(?:[❌🚫⛔✗✘🛑👎]|:(?:x|no_entry|no_entry_sign|-1):|\[x\]\s+bad)", re.IGNORECASE
)
_GOOD_LABEL = re.compile(
    r"^\W*(?:good|right|correct|do|instead|better|safe|use|richtig|gut|besser|stattdessen|correct\w*"
    r"|bien|bon|mieux|correcto|bueno|mejor|certo|bom|melhor)(?:\s+\w+)?\s*(?::|$)|^\s*(?:✅|👍|✔|☑)",
    re.IGNORECASE,
)


def is_bad_label(title: str) -> bool:
    """Is it a title such as "What not to do", which forbids all that stands below it?"""
    text = " ".join(title.split())
    return bool(_BAD_SIGN.match(text) or _BAD_LABEL.match(text))


_NARROWED = re.compile(
    r"\b(?:as root|without|before|until|unless|twice|more than once|during|while|if|when)\b",
    re.IGNORECASE,
)
_POINTS_ON = re.compile(
    r":\s*$|\b(?:this|these|following|below|folgende\w*|dies\w*|suivante?s?|ceci|cette|siguientes?"
    r"|est[eao]s?|seguintes?|iss?to)\b",
    re.IGNORECASE,
)


def forbids_block(text: str) -> bool:
    """Does the text before a block forbid it? "Never run this:" does, "never as root" not."""
    last = re.split(_SENTENCE, " ".join(text.split()))[-1]
    if is_bad_label(last):
        return True
    points = _POINTS_ON.search(last) and not _NARROWED.search(last)
    return bool(points) and forbids_what_follows(last)


def forbids_what_follows(title: str) -> bool:
    """Does a title, or a comment above a command, say not to do what comes next?"""
    text = " ".join(title.split())
    if is_bad_label(text):
        return True
    last = re.split(_SENTENCE, text)[-1]
    if _GOOD_LABEL.match(last):
        return False
    return _judge(last.rstrip(" :"), "", whole=True) is Standing.FORBIDDEN


def said_of_codes(marked: str) -> Iterator[Said]:
    """Every code of a text with its standing. `marked` is that of a Text."""
    struck = 0
    row = 0
    for sentence in _sentences(marked):
        position = 0
        for found in re.finditer(f"{CODE}([^{END_CODE}]*){END_CODE}", sentence):
            gap = sentence[position : found.start()]
            struck += gap.count(STRUCK) - gap.count(END_STRUCK)
            at = row + sentence.count("\n", 0, found.start())
            standing = (
                Standing.FORBIDDEN
                if struck > 0
                else _judge(sentence[: found.start()], sentence[found.end() :])
            )
            before = sentence[: found.start()]
            alone = not re.search(r"\w", sentence[: found.start()] + sentence[found.end() :])
            imperative = standing is Standing.TOLD and (alone or bool(_IMPERATIVE.search(before)))
            yield Said(found[1], at, standing, plain(sentence), imperative)
            position = found.end()
        rest = sentence[position:]
        struck += rest.count(STRUCK) - rest.count(END_STRUCK)
        row += sentence.count("\n")


def plain(marked: str) -> str:
    """The text without marks."""
    return " ".join(re.sub(f"[{CODE}{END_CODE}{STRUCK}{END_STRUCK}]", "", marked).split())


def allowed_words(marked: str) -> str:
    """The sentences of a text that forbid nothing, without marks."""
    kept = [
        plain(sentence)
        for sentence in _sentences(marked)
        if not _ORDER.search(_hidden(sentence)) and not _REPLACED_ANYWHERE.search(sentence)
    ]
    return " ".join(filter(None, kept))


_REPLACED_ANYWHERE = re.compile(
    rf"\b(?:instead of|rather than|statt|anstatt)\s+{CODE}", re.IGNORECASE
)


def _sentences(marked: str) -> Iterator[str]:
    """The sentences with what separates them; the dots of a code end none."""
    hidden = _hidden(marked)
    start = 0
    for cut in _SENTENCE.finditer(hidden):
        yield marked[start : cut.end()]
        start = cut.end()
    yield marked[start:]


def _hidden(text: str) -> str:
    """Codes as the letter x, so that no word of a command is taken for one of the sentence."""
    return re.sub(
        f"{CODE}([^{END_CODE}]*){END_CODE}",
        lambda m: CODE + "x" * len(m[1]) + END_CODE,
        text,
    )


def _judge(before: str, after: str, *, whole: bool = False) -> Standing:
    """What the words before and after a code of one sentence say of it.

    `whole`: there is no code; does the sentence forbid what follows it?
    """
    before = _hidden(before).replace("\n", " ").replace("*", "")
    after = _hidden(after).replace("\n", " ").replace("*", "")
    if not whole and (_AFTER.match(after) or _BAD_SIGN.match(before)):
        return Standing.FORBIDDEN
    if _BAD_LABEL.match(before) and not _TURN.search(before):
        return Standing.FORBIDDEN
    if not whole and _REPLACED.search(before):
        return Standing.FORBIDDEN
    # "Never A, use B", "Instead of A use B": what stands before the turn is of A.
    own = before
    if turns := [t for t in _TURN.finditer(before) if _turns(before[: t.start()])]:
        own = before[turns[-1].start() :]
    orders = list(_ORDER.finditer(own))
    if not orders:
        return (
            Standing.TOLD if _TELLS.search(before) or not before.strip(" \t(") else Standing.NEUTRAL
        )
    order = orders[-1]
    lead = _COMMA.split(own[: order.start()])[-1]
    between = own[order.end() :]
    if _CONDITION.search(lead):
        # "If the pod does not start, run A" tells to run it; "if you do not run A" tells nothing.
        return Standing.TOLD if len(_COMMA.split(between)) > 1 else Standing.DOUBTFUL
    return Standing.DOUBTFUL if _UNTIL.search(between) else Standing.FORBIDDEN


_UNTIL = re.compile(
    r"\b(?:until|unless|without|before|bevor|bis|ohne|avant|sans|antes|sin|até|sem)\s+(?:\S+\s+){0,4}$",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"\s+(?!under\b|ever\b|in\s+any\b|at\s+any\b)[^\s,]+\s+[^\s,]+")


def _turns(rest: str) -> bool:
    """Is the thought before "use" or "instead" a whole one? "Never, in no case," is not."""
    if CODE in rest:
        return True
    order = next(_ORDER.finditer(rest), None)
    return order is not None and bool(_OBJECT.match(rest, order.end()))
