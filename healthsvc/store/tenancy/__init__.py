"""机构分区 The hot tables of a PostgreSQL database laid out by county: a partition for each, and one for what is nobody's.

Whatever is written about one person carries the number of that person's county (``part``): the nearest organization above the managing
one that has a partition. What is about nobody, or about persons of several counties, has 0, and every search looks there too. A row's
part follows the person: a transfer moves the whole file in its transaction (:mod:`.home`). ``healthsvc partition`` lays the tables out
beside serving processes (:mod:`.lay`); reads that know whom they are about ask no other partition (:mod:`.within`).
"""
