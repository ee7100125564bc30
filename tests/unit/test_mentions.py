import pytest

from roompulse.erasure.mentions import in_sentence, in_words
from roompulse.pseudonyms.model import Pseudonyms

SENTENCES = [
    ("1", "4.1 % packet loss receiving 1's camera 1 (−1.1)", "4.1 % packet loss receiving X's camera 1 (−1.1)"),
    ("1", "1 of 4 users affected: 1's uplink loses 1 %", "1 of 4 users affected: X's uplink loses 1 %"),
    (
        "4",
        "3 of 4 users affected; worst: 4 sends camera at 4 fps",
        "3 of 4 users affected; worst: X sends camera at 4 fps",
    ),
    (
        "u",
        "2 of 4 users affected: all 2 receive u's camera at 3 fps",
        "2 of 4 users affected: all 2 receive X's camera at 3 fps",
    ),
    ("2", "2 and 2 others receive nothing; 2 users good", "X and 2 others receive nothing; 2 users good"),
    ("2", "2 receives nothing; 2 users good", "X receives nothing; 2 users good"),
    ("3", "1 of 3 users affected: 3", "1 of 3 users affected: X"),
    (
        "3",
        "room-3: score 3.1 (< 3). 1 of 3 users affected: 3. Poor: 3.",
        "room-3: score 3.1 (< 3). 1 of 3 users affected: X. Poor: X.",
    ),
    ("3", "r: worst 1 (< 3). Poor: 1, 3, a.b and 3 others.", "r: worst 1 (< 3). Poor: 1, X, a.b and 3 others."),
    ("a.b", "r: worst 1 (< 3). Poor: 1, 3, a.b and 3 others.", "r: worst 1 (< 3). Poor: 1, 3, X and 3 others."),
    ("1", "1 in room 1: score 1 (< 3.1) for 1 min.", "X in room 1: score 1 (< 3.1) for 1 min."),
    (
        "1",
        "Of 1 user-minutes 1 % were good. 1 suffered most, 1 min poor and 1 s fair.",
        "Of 1 user-minutes 1 % were good. X suffered most, 1 min poor and 1 s fair.",
    ),
    ("good", "Healthy: 2 users good", "Healthy: 2 users good"),
    (
        "good",
        "good → poor: 300 ms delay receiving good's mic (−2.0)",
        "good → poor: 300 ms delay receiving X's mic (−2.0)",
    ),
    ("720", "camera 1280×720 → 640×360", "camera 1280×720 → 640×360"),
    ("ada", "6.0 % packet loss sending cam_ada (−1.5)", "6.0 % packet loss sending cam_X (−1.5)"),
    ("ada", "cam-ada is no longer limited", "cam-X is no longer limited"),
    ("ada", "6.0 % packet loss receiving bo's ada (−1.5)", "6.0 % packet loss receiving bo's X (−1.5)"),
    ("ada", "6.0 % packet loss receiving adam's camera (−1.5)", "6.0 % packet loss receiving adam's camera (−1.5)"),
    ("a+b (c)", "1 of 2 users affected: a+b (c)'s uplink loses 6 %", "1 of 2 users affected: X's uplink loses 6 %"),
]


@pytest.mark.parametrize(("user_id", "text", "expected"), SENTENCES)
def test_a_sentence_names_a_user_at_known_places(user_id: str, text: str, expected: str) -> None:
    assert in_sentence(text, [user_id], lambda _: "X") == expected


WORDS = [
    ("ada", "ada, Ada and adam_ada: cam-ada", "X, Ada and adam_X: cam-X"),
    ("1", "1 of 1", "1 of 1"),
    ("a", "a call", "a call"),
    ("u1", "u1 u10 xu1", "X u10 xu1"),
    ("bo", "nothing", "nothing"),
]


@pytest.mark.parametrize(("user_id", "text", "expected"), WORDS)
def test_in_other_texts_a_word_is_a_mention_unless_it_is_a_number(user_id: str, text: str, expected: str) -> None:
    assert in_words(text, [user_id], lambda _: "X") == expected


def test_of_two_ids_the_longer_one_is_found() -> None:
    assert in_sentence("receiving ada b's camera", ["ada", "ada b"], str.upper) == "receiving ADA B's camera"
    assert in_words("ada b", ["ada", "ada b"], str.upper) == "ADA B"


@pytest.mark.parametrize(("user_id", "text", "expected"), SENTENCES)
def test_pseudonyms_of_many_find_the_same_in_a_sentence(user_id: str, text: str, expected: str) -> None:
    names = Pseudonyms("page", [(user_id, None), *((f"somebody {number}", None) for number in range(50))])
    assert names.sentence(text) == expected.replace("X", "user 1")


@pytest.mark.parametrize(
    ("user_id", "text", "expected"), [*WORDS, ("+x.y", "a +x.y", "a X"), ("Ann B", "Ann B, Ann", "X, Ann")]
)
def test_pseudonyms_of_many_find_the_same_in_words(user_id: str, text: str, expected: str) -> None:
    names = Pseudonyms("page", [(user_id, None), *((f"somebody {number}", None) for number in range(50))])
    assert names.words(text) == expected.replace("X", "user 1")
