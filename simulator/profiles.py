"""How robots are used, by industry and scene: opening hours, weekdays, funnel and functions."""

from collections.abc import Mapping
from dataclasses import dataclass

EVERY_DAY = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
LEISURE = (0.7, 0.7, 0.75, 0.8, 1.0, 1.35, 1.3)
WORK = (1.1, 1.05, 1.0, 1.0, 1.0, 0.6, 0.5)
OFFICE = (1.0, 1.05, 1.0, 0.95, 0.9, 0.0, 0.0)
MUSEUM = (0.0, 0.8, 0.9, 0.9, 1.0, 1.4, 1.4)


@dataclass(frozen=True, slots=True)
class Hours:
    """Local opening hours (a closing hour above 24 is after midnight), the hours of most visitors, and
    weights of Monday to Sunday (0: closed)."""

    opens: float
    closes: float
    peaks: tuple[float, float]
    week: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Funnel:
    """Visitors in an hour of full swing, and the share that takes each step after the one before."""

    visitors: float
    recruit: float
    wake: float
    interact: float


@dataclass(frozen=True, slots=True)
class Functions:
    """Uses of each function in an hour of full swing."""

    tours: float
    check_ins: float
    escorts: float
    deliveries: float
    narrations: float


@dataclass(frozen=True, slots=True)
class Profile:
    """An industry: when it is open, how many people pass and stay, what they use, and the usual scenes."""

    hours: Hours
    funnel: Funnel
    functions: Functions
    scenes: tuple[str, ...]


PROFILES: Mapping[str, Profile] = {
    "exhibition_hall": Profile(
        Hours(9, 17.5, (10.5, 14.5), MUSEUM),
        Funnel(150, 0.50, 0.84, 0.77),
        Functions(6, 0.5, 2, 0, 25),
        ("guided_tour", "reception", "promotion"),
    ),
    "ktv": Profile(
        Hours(12, 27, (20, 23), LEISURE),
        Funnel(70, 0.45, 0.80, 0.74),
        Functions(0.2, 1, 6, 18, 1),
        ("delivery", "leading", "reception"),
    ),
    "scenic_area": Profile(
        Hours(8, 18, (10, 15), LEISURE),
        Funnel(260, 0.50, 0.86, 0.80),
        Functions(3, 0.5, 3, 0.2, 2),
        ("reception", "guided_tour", "promotion"),
    ),
    "meeting_centre": Profile(
        Hours(8, 20, (9, 13.5), WORK),
        Funnel(110, 0.55, 0.82, 0.75),
        Functions(0.5, 25, 12, 3, 2),
        ("check_in", "leading", "reception"),
    ),
    "bank": Profile(
        Hours(9, 17, (10, 14.5), WORK),
        Funnel(90, 0.55, 0.83, 0.76),
        Functions(0.3, 8, 6, 0.2, 3),
        ("reception", "leading", "promotion"),
    ),
    "hospital": Profile(
        Hours(0, 24, (9.5, 14.5), WORK),
        Funnel(130, 0.50, 0.82, 0.75),
        Functions(0.2, 6, 10, 8, 2),
        ("leading", "delivery", "reception"),
    ),
    "government_hall": Profile(
        Hours(8.5, 17, (9.5, 14.5), OFFICE),
        Funnel(120, 0.52, 0.84, 0.77),
        Functions(0.3, 10, 8, 0.5, 3),
        ("reception", "check_in", "leading"),
    ),
    "retail": Profile(
        Hours(10, 22, (12, 19), LEISURE),
        Funnel(220, 0.45, 0.82, 0.75),
        Functions(1, 0.5, 5, 0.5, 8),
        ("promotion", "reception", "leading"),
    ),
    "restaurant": Profile(
        Hours(10.5, 22, (12, 18.5), LEISURE),
        Funnel(95, 0.50, 0.82, 0.75),
        Functions(0.1, 3, 8, 25, 0.5),
        ("delivery", "leading", "promotion"),
    ),
    "hotel": Profile(
        Hours(0, 24, (9, 18), EVERY_DAY),
        Funnel(85, 0.52, 0.83, 0.76),
        Functions(0.3, 8, 6, 10, 1),
        ("delivery", "check_in", "reception"),
    ),
}

# What a robot of that scene does more of than the others of its industry.
SCENES: Mapping[str, tuple[str, ...]] = {
    "reception": ("narrations",),
    "guided_tour": ("tours", "narrations"),
    "leading": ("escorts",),
    "delivery": ("deliveries",),
    "check_in": ("check_ins",),
    "promotion": ("narrations",),
}
