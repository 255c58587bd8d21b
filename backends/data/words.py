"""The words that seeded names, products and messages are made of."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ACCOUNT_NEWS",
    "ADJECTIVES",
    "BIOS",
    "CATEGORIES",
    "CITIES",
    "FIRST_NAMES",
    "LAST_NAMES",
    "NOTES",
    "ORDER_NEWS",
    "PROMOTIONS",
    "STREETS",
    "TAGS",
    "Category",
    "City",
]


class Category(NamedTuple):
    """What the products of one category are called, cost and weigh."""

    name: str
    kind: str
    nouns: tuple[str, ...]
    cents: tuple[int, int]
    size: tuple[int, int]
    """From and to: grams if physical, kilobytes if digital."""


class City(NamedTuple):
    """A town with the country and the start of its postal codes."""

    name: str
    country: str
    postal_prefix: str


FIRST_NAMES = (
    *("Ada", "Aisha", "Anton", "Astrid", "Bianca", "Carlos", "Chiara", "Daniel"),
    *("Elif", "Emil", "Fatima", "Felix", "Freya", "Grace", "Hugo", "Ines", "Ivan"),
    *("Jana", "Jonas", "Kenji", "Lars", "Leila", "Linnea", "Lucas", "Maja", "Marta"),
    *("Mateo", "Mei", "Nadia", "Niko", "Noor", "Olga", "Oscar", "Priya", "Rafael"),
    *("Rosa", "Samira", "Sofia", "Theo", "Yusuf"),
)
LAST_NAMES = (
    *("Almeida", "Andersen", "Bauer", "Becker", "Bianchi", "Costa", "Demir", "Dubois"),
    *("Eriksen", "Fischer", "Garcia", "Haas", "Horvat", "Ibrahim", "Jansen", "Kaya"),
    *("Keller", "Kowalska", "Larsen", "Lindgren", "Lopez", "Marino", "Meyer", "Moreau"),
    *("Nakamura", "Nilsson", "Novak", "Okafor", "Olsen", "Patel", "Peeters", "Popescu"),
    *("Rossi", "Schmidt", "Silva", "Svoboda", "Tanaka", "Virtanen", "Weber", "Zhang"),
)
CITIES = (
    City("Amsterdam", "NL", "10"),
    City("Barcelona", "ES", "080"),
    City("Berlin", "DE", "101"),
    City("Copenhagen", "DK", "21"),
    City("Ghent", "BE", "90"),
    City("Hamburg", "DE", "203"),
    City("Helsinki", "FI", "001"),
    City("Lisbon", "PT", "11"),
    City("Lyon", "FR", "690"),
    City("Milan", "IT", "201"),
    City("Stockholm", "SE", "113"),
    City("Vienna", "AT", "10"),
)
STREETS = (
    *("Church Lane", "Garden Street", "Harbour Road", "High Street", "Linden Avenue"),
    *("Market Square", "Mill Road", "Station Road", "Sunset Boulevard", "Willow Way"),
)
BIOS = (
    "Collects old maps and new recipes.",
    "Cycles to work in any weather.",
    "Engineer by day, gardener by evening.",
    "Drinks too much coffee, reads too little fiction.",
    "Learning the cello, slowly.",
    "Three children, two cats, one quiet hour a day.",
    "Restores furniture at weekends.",
    "Writes about trains.",
)
ADJECTIVES = (
    *("Classic", "Compact", "Everyday", "Folding", "Lightweight", "Little", "Modern"),
    *("Nordic", "Original", "Patient", "Quiet", "Recycled", "Simple", "Sturdy"),
    *("Sunny", "Travel", "Urban", "Vintage", "Wild", "Winter"),
)
CATEGORIES = (
    Category(
        "audio",
        "physical",
        ("Headphones", "Loudspeaker", "Radio", "Record Player", "Microphone"),
        (2900, 39900),
        (120, 6500),
    ),
    Category(
        "bikes",
        "physical",
        ("Bell", "Front Light", "Helmet", "Pannier", "Pump"),
        (900, 12900),
        (60, 1800),
    ),
    Category(
        "books",
        "physical",
        ("Atlas", "Cookbook", "Field Guide", "Novel", "Sketchbook"),
        (800, 4900),
        (180, 1600),
    ),
    Category(
        "garden",
        "physical",
        ("Gloves", "Herb Planter", "Rake", "Secateurs", "Watering Can"),
        (700, 8900),
        (90, 4200),
    ),
    Category(
        "kitchen",
        "physical",
        ("Coffee Grinder", "Frying Pan", "Kettle", "Knife", "Mixing Bowl"),
        (1200, 18900),
        (150, 3800),
    ),
    Category(
        "lighting",
        "physical",
        ("Desk Lamp", "Floor Lamp", "Lantern", "Night Light", "Pendant"),
        (1500, 24900),
        (200, 7500),
    ),
    Category(
        "office",
        "physical",
        ("Desk Organiser", "Footrest", "Keyboard", "Notebook", "Pen Set"),
        (500, 14900),
        (80, 2600),
    ),
    Category(
        "outdoor",
        "physical",
        ("Backpack", "Camp Stove", "Flask", "Sleeping Bag", "Tent"),
        (1900, 45900),
        (250, 5200),
    ),
    Category(
        "toys",
        "physical",
        ("Building Blocks", "Kite", "Marble Run", "Puzzle", "Spinning Top"),
        (600, 7900),
        (70, 2400),
    ),
    Category(
        "courses",
        "digital",
        ("Baking Course", "Drawing Course", "Guitar Course", "Yoga Course"),
        (1900, 12900),
        (35_000, 1_900_000),
    ),
    Category(
        "ebooks",
        "digital",
        ("Biography", "Cookbook", "Mystery", "Travel Guide"),
        (300, 1900),
        (400, 28_000),
    ),
    Category(
        "software",
        "digital",
        ("Backup Tool", "Note App", "Photo Editor", "Tax Assistant"),
        (900, 9900),
        (12_000, 900_000),
    ),
)
NOTES = (
    "Please leave it with the neighbour.",
    "The bell does not work, please knock.",
    "It is a present: no invoice in the parcel, please.",
    "Call before delivery.",
)
PROMOTIONS = (
    ("Spring sale", "Garden tools are 20 % off until Sunday."),
    ("Back in stock", "A product on your wish list is available again."),
    ("Free shipping", "This week we ship every order for free."),
)
ACCOUNT_NEWS = (
    ("New sign-in", "Your account was used on a new device."),
    ("Profile updated", "Your profile was changed."),
    ("Password changed", "Your password was changed. Was it not you? Write to us."),
)
ORDER_NEWS = {
    "order": ("Order received", "Thank you: we received your order {}."),
    "delivery": ("On its way", "Your order {} has left our warehouse."),
}
TAGS = ("bestseller", "fair-trade", "gift", "limited", "new", "organic", "sale")
