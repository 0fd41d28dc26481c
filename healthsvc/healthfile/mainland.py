"""Where map services in China shift coordinates: a coarse outline of the mainland and its coastal waters.

Drawn by hand, exact to some ten kilometres on land borders in thinly settled country and to a few hundred metres at Shenzhen and Zhuhai,
where people live on both sides. Hong Kong, Macao, Taiwan, Kinmen and Matsu are outside: maps there are not shifted.
"""

# (longitude, latitude), clockwise from the Amur. Sea vertices stand some 20 to 60 km off the coast.
# fmt: off
_OUTLINE = (
    (135.1, 48.45), (134.4, 47.4), (133.1, 45.2), (131.9, 45.3), (131.0, 44.8), (131.3, 43.5), (130.64, 42.42), (130.25, 42.75),
    (129.85, 42.97), (129.4, 42.45), (128.05, 42.0), (126.95, 41.78), (126.2, 41.1), (125.3, 40.6), (124.4, 40.08), (124.2, 39.5),
    (124.0, 38.0), (123.2, 36.8), (121.8, 35.0), (122.8, 33.0), (122.9, 31.5), (123.3, 30.0), (122.4, 28.3), (121.4, 27.0),
    (120.4, 26.0), (119.9, 25.2), (118.9, 24.4), (118.2, 23.6), (117.2, 22.9), (116.0, 22.4), (114.9, 22.0), (113.5, 21.4),
    (111.8, 21.0), (111.2, 20.2), (111.3, 19.5), (110.6, 18.3), (109.5, 17.9), (108.3, 18.4), (108.3, 19.3), (108.9, 20.6),
    (108.0, 21.5), (107.4, 21.6), (106.7, 22.0), (106.6, 22.9), (105.3, 23.35), (104.8, 22.85), (103.95, 22.5), (102.5, 22.75),
    (101.7, 22.45), (101.75, 21.18), (100.2, 21.45), (99.2, 22.15), (99.5, 23.0), (98.8, 23.7), (97.6, 23.9), (97.9, 25.2),
    (98.6, 26.0), (98.7, 27.5), (97.4, 28.3), (96.3, 28.4), (95.0, 29.1), (92.0, 27.75), (90.3, 28.15), (88.9, 27.35),
    (88.1, 27.9), (86.9, 27.95), (85.3, 28.3), (84.0, 29.0), (82.0, 30.2), (81.0, 30.2), (79.0, 31.2), (78.8, 32.5), (79.2, 33.5),
    (78.7, 34.3), (78.0, 35.4), (76.0, 35.9), (74.6, 37.1), (74.9, 38.4), (73.7, 39.5), (74.9, 40.5), (76.8, 41.0), (78.4, 41.4),
    (80.2, 42.2), (80.4, 43.1), (80.4, 44.6), (82.4, 45.2), (83.1, 47.2), (85.5, 47.1), (85.7, 48.3), (87.3, 49.15), (88.0, 48.6),
    (90.0, 47.8), (90.9, 46.9), (91.0, 45.3), (93.5, 45.0), (95.4, 44.3), (96.4, 42.75), (101.8, 42.5), (105.0, 41.6),
    (107.5, 42.4), (109.5, 42.45), (111.98, 43.7), (111.9, 45.0), (113.6, 44.75), (116.0, 46.4), (117.4, 46.6), (119.8, 46.7),
    (119.7, 47.5), (118.5, 47.95), (115.6, 47.9), (116.7, 49.85), (119.3, 50.2), (120.8, 52.5), (123.6, 53.55), (125.6, 53.05),
    (126.9, 51.3), (127.5, 50.25), (127.6, 49.8), (129.5, 49.4), (130.9, 48.85), (130.75, 47.75), (132.6, 47.9), (134.7, 48.4),
)
_UNSHIFTED = (
    (  # Hong Kong: Deep Bay, the Shenzhen river, Sha Tau Kok, Mirs Bay
        (113.83, 22.13), (113.86, 22.42), (113.95, 22.47), (114.03, 22.503), (114.058, 22.502), (114.08, 22.515), (114.115, 22.532),
        (114.155, 22.555), (114.19, 22.557), (114.227, 22.547), (114.27, 22.56), (114.44, 22.57), (114.51, 22.45), (114.51, 22.13),
    ),
    (  # Macao: Coloane and Taipa, the inner harbour, the Border Gate
        (113.547, 22.10), (113.547, 22.155), (113.534, 22.18), (113.534, 22.21), (113.548, 22.2165), (113.56, 22.213),
        (113.60, 22.21), (113.60, 22.10),
    ),
    ((118.17, 24.38), (118.20, 24.47), (118.32, 24.53), (118.52, 24.50), (118.52, 24.36)),  # Kinmen
    ((119.85, 26.08), (119.85, 26.30), (120.60, 26.45), (120.60, 25.90), (119.95, 25.90)),  # Matsu
)
# fmt: on


def in_mainland(lon: float, lat: float) -> bool:
    """Whether maps of this place (WGS-84 degrees) are published in a shifted datum."""
    if not near_mainland(lon, lat):
        return False
    return _within(_OUTLINE, lon, lat) and not any(_within(ring, lon, lat) for ring in _UNSHIFTED)


def near_mainland(lon: float, lat: float) -> bool:
    """Whether a place lies in the box about the mainland, shifted maps of it included."""
    return 73.0 < lon < 136.0 and 17.0 < lat < 54.0


def _within(ring: tuple[tuple[float, float], ...], lon: float, lat: float) -> bool:
    """Count the edges that a ray to the east crosses: odd is inside."""
    inside = False
    last_lon, last_lat = ring[-1]
    for next_lon, next_lat in ring:
        if (next_lat > lat) != (last_lat > lat) and lon < (last_lon - next_lon) * (lat - next_lat) / (last_lat - next_lat) + next_lon:
            inside = not inside
        last_lon, last_lat = next_lon, next_lat
    return inside
