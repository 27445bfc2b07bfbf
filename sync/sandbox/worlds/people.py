"""The people of the sample lab: names in a fixed order, user names in ASCII, nobody real."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from sync.sandbox.worlds.blueprint import Person


def words(text: str) -> tuple[str, ...]:
    """Words of a text, for tables that are easier to read as one."""
    return tuple(text.split())


FIRST_NAMES = words(
    "Julie Émilie François Anaïs Benoît Chloé Hélène Jérôme Sébastien Zoé Mathéo Inès Théo Océane "
    "Clémence Rémi Gaëlle Loïc Noémie Aurélien Camille Élodie Frédéric Maëlle Cédric Solène Grégoire "
    "Bérénice Tristan Agnès Jean-Marc Marie-Ève Lukas Ingrid Søren Katarzyna Paweł Giulia Matteo Zoltán "
    "Márta João Inês Nikolaos Eleni Björn Åsa Miloš Jiří Tereza Ewa Ruben Laia Íñigo Nuria Yannick "
    "Fatou Mehdi Leïla Karim Thu-Hà Wei Akiko Priya"
)

LAST_NAMES = words(
    "Martin Lefèvre Garnier Dubois Béranger Müller Moreau Fournier Girard Bonnet Delaître Rousseau "
    "Çelik Vasseur Guérin Boyer Chevalier Le-Goff Nguyễn Hervé Lemaître Gauthier Perrin Morvan Clément "
    "Barthélemy Besson Charpentier Ménard Collet Prévost Kowalczyk Hoarau Benali Rossi Jacquet Schäfer "
    "Tessier Weber Cousin Marchand Novák Aubry Brunet Delorme Février Grönholm Hamon Ibáñez Joly Keller "
    "Lacroix Maréchal Nicolaï Ollivier Pélissier Quéré Renard Santos Thévenet Urbain Vallée Wójcik "
    "Zimmermann Andrieu Baudry Cardoso Duchêne Étienne"
)


def ascii_name(name: str, *, keep: str = "") -> str:
    """A name as lower-case ASCII letters and digits (and what is in `keep`), for user and host names."""
    spelled = name.replace("ø", "o").replace("Ø", "O").replace("ł", "l").replace("Ł", "L").replace("đ", "d")
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalnum() or letter in keep)


def everybody() -> Iterator[Person]:
    """All people the lab can have, endlessly, each with a user name of his or her own; Julie Martin first."""
    taken: dict[str, int] = {}
    number = 0
    while True:
        lap = number // len(LAST_NAMES)
        firstname = FIRST_NAMES[(number + 11 * lap) % len(FIRST_NAMES)]
        lastname = LAST_NAMES[number % len(LAST_NAMES)].replace("-", " ")
        username = ascii_name(firstname)[0] + ascii_name(lastname)
        taken[username] = taken.get(username, 0) + 1
        if taken[username] > 1:
            username = f"{username}{taken[username]}"
        yield Person(username=username, firstname=firstname, lastname=lastname)
        number += 1
