# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
"""Public-domain music written out as notes: the scores that `make_clips.py` performs.

A score is a list of `Note`s (start and length in quarter notes, MIDI pitch, loudness −1…1 around
the middle) and a list of pedal spans (down and up, in quarter notes). Nothing here knows about
seconds.
"""

import re
from typing import NamedTuple

QUARTERS_TO_RING = 2  # after the last note, before the pedal comes up


class Note(NamedTuple):
    start: float
    length: float
    pitch: int
    stress: float = 0.0


class Score(NamedTuple):
    title: str
    notes: list
    pedal: list  # (down, up) in quarters
    quarters_per_minute: float
    split: str


def pitch(name):
    """MIDI number of a name such as F#3 or Bb2; C4 is 60."""
    letter, accidental, octave = re.fullmatch(r"([A-G])([#b]?)(\d)", name).groups()
    return (
        12 * (int(octave) + 1) + "C D EF G A B".index(letter) + {"": 0, "#": 1, "b": -1}[accidental]
    )


# Bach, Prelude in C major, BWV 846 (The Well-Tempered Clavier I), the 35 bars of the autograph. In
# bars 1–32 five notes a half bar: the left hand holds the first two, the others go round twice.
PRELUDE_BARS = """
C4 E4 G4 C5 E5 | C4 D4 A4 D5 F5 | B3 D4 G4 D5 F5 | C4 E4 G4 C5 E5 | C4 E4 A4 E5 A5 |
C4 D4 F#4 A4 D5 |
B3 D4 G4 D5 G5 | B3 C4 E4 G4 C5 | A3 C4 E4 G4 C5 | D3 A3 D4 F#4 C5 | G3 B3 D4 G4 B4 |
G3 Bb3 E4 G4 C#5 |
F3 A3 D4 A4 D5 | F3 Ab3 D4 F4 B4 | E3 G3 C4 G4 C5 | E3 F3 A3 C4 F4 | D3 F3 A3 C4 F4 |
G2 D3 G3 B3 F4 |
C3 E3 G3 C4 E4 | C3 G3 Bb3 C4 E4 | F2 F3 A3 C4 E4 | F#2 C3 A3 C4 Eb4 | Ab2 F3 B3 C4 D4 |
G2 F3 G3 B3 D4 |
G2 E3 G3 C4 E4 | G2 D3 G3 C4 F4 | G2 D3 G3 B3 F4 | G2 Eb3 A3 C4 F#4 | G2 E3 G3 C4 G4 |
G2 D3 G3 C4 F4 |
G2 D3 G3 B3 F4 | C2 C3 G3 Bb3 E4"""
PRELUDE_33_34 = [
    "C2 C3 F3 A3 C4 F4 C4 A3 C4 A3 F3 A3 F3 D3 F3 D3",
    "C2 B2 G4 B4 D5 F5 D5 B4 D5 B4 G4 B4 D4 F4 E4 D4",
]
PRELUDE_35 = "C2 C3 E4 G4 C5"


def prelude():
    notes, bars = [], PRELUDE_BARS.split("|")
    for bar, names in enumerate(bars):
        five = [pitch(name) for name in names.split()]
        rise = (sum(five) / 5 - 60) / 12  # higher harmonies a little louder
        for half in (4 * bar, 4 * bar + 2):
            notes += [Note(half, 2, five[0], 0.25 + rise), Note(half + 0.25, 1.75, five[1], rise)]
            notes += [Note(half + (2 + k) / 4, 0.25, five[2 + k % 3], rise - 0.1) for k in range(6)]
    for bar, names in enumerate(PRELUDE_33_34, start=len(bars)):
        for k, name in enumerate(names.split()):
            notes.append(
                Note(4 * bar + k / 4, 4 - k / 4 if k < 2 else 0.25, pitch(name), 0.1 - 0.02 * k)
            )
    last = 4 * (len(bars) + 2)
    notes += [
        Note(last + 0.03 * k, 4 - 0.03 * k, pitch(name), -0.5)
        for k, name in enumerate(PRELUDE_35.split())
    ]
    pedal = [(4 * bar + 0.2, 4 * bar + 3.97) for bar in range(len(bars) + 2)] + [
        (last + 0.2, last + 4 + QUARTERS_TO_RING)
    ]
    return Score("Bach, Prelude in C major, BWV 846", notes, pedal, 84, "train")


# Petzold, Minuet in G, BWV Anh. 114: the first half, sixteen bars of three quarters.
# "D5:1 G4:.5" is a quarter, then an eighth; + joins a chord.
MINUET_RIGHT = """
D5:1 G4:.5 A4:.5 B4:.5 C5:.5 | D5:1 G4:1 G4:1 | E5:1 C5:.5 D5:.5 E5:.5 F#5:.5 | G5:1 G4:1 G4:1 |
C5:1 D5:.5 C5:.5 B4:.5 A4:.5 | B4:1 C5:.5 B4:.5 A4:.5 G4:.5 | F#4:1 G4:.5 A4:.5 B4:.5 G4:.5 | A4:3 |
D5:1 G4:.5 A4:.5 B4:.5 C5:.5 | D5:1 G4:1 G4:1 | E5:1 C5:.5 D5:.5 E5:.5 F#5:.5 | G5:1 G4:1 G4:1 |
C5:1 D5:.5 C5:.5 B4:.5 A4:.5 | B4:1 C5:.5 B4:.5 A4:.5 G4:.5 | A4:1 B4:.5 A4:.5 G4:.5 F#4:.5 |
G4:3"""
MINUET_LEFT = """
G3+B3+D4:2 A3:1 | B3:3 | C4:3 | B3:3 | A3:3 | G3:3 | D4:1 B3:1 G3:1 | D4:1 D3:.5 C4:.5 B3:.5 A3:.5 |
B3:2 A3:1 | G3:1 B3:1 G3:1 | C4:3 | B3:1 C4:.5 B3:.5 A3:.5 G3:.5 | A3:2 F#3:1 | G3:2 B3:1 |
C4:1 D4:1 D3:1 | G3:2 G2:1"""


def minuet():
    notes, repeat = [], 16 * 3
    for voice, stress in ((MINUET_RIGHT, 0.2), (MINUET_LEFT, -0.25)):
        for begin in (0, repeat):  # played twice, as written
            now = begin
            for chord in voice.replace("|", " ").split():
                names, length = chord.split(":")
                first = 0.2 if (now - begin) % 3 == 0 else 0.0
                notes += [
                    Note(now, 0.92 * float(length), pitch(name), stress + first)
                    for name in names.split("+")
                ]
                now += float(length)
            assert now == begin + repeat, now
    pedal = [(3 * bar + 0.1, 3 * bar + 0.9) for bar in range(31)] + [(93.1, 96 + QUARTERS_TO_RING)]
    return Score("Petzold, Minuet in G, BWV Anh. 114, first half twice", notes, pedal, 136, "test")


# The exercises go through all 24 keys: up the circle of fifths, each major key followed by its
# relative minor.
STEPS = {"major": [0, 2, 4, 5, 7, 9, 11, 12], "minor": [0, 2, 3, 5, 7, 8, 11, 12]}  # harmonic minor
KEYS = [
    (48 + (7 * k + shift) % 12, mode)
    for k in range(12)
    for mode, shift in (("major", 0), ("minor", 9))
]


def _at(stress, tops, k):
    return stress + 0.5 * (1 - abs(2 * k / (tops - 1) - 1))  # louder towards the turn


def scales():
    """One octave up and down, hands an octave apart, no pedal but on the last note."""
    notes, pedal, now = [], [], 0.0
    for tonic, mode in KEYS:
        line = STEPS[mode] + STEPS[mode][-2::-1]
        for k, step in enumerate(line):
            length = 1.25 if k == len(line) - 1 else 0.25
            notes += [
                Note(
                    now,
                    length,
                    tonic + step + octave,
                    _at(-0.2, len(line), k) - 0.1 * (octave == 0),
                )
                for octave in (0, 12)
            ]
            now += length
        pedal.append((now - 1.15, now))
        now += 0.5
    return Score("Scales in all 24 keys, one octave, hands together", notes, pedal, 150, "train")


def cadences():
    """I IV V7 I, four voices over a bass, the pedal changed just after each chord."""
    notes, pedal, now = [], [], 0.0
    for tonic, mode in KEYS:
        third, sixth = (4, 9) if mode == "major" else (3, 8)
        chords = [
            (-12, 0, third, 7, 12),
            (-7, 0, 5, sixth, 12),
            (-5, -1, 5, 7, 11),
            (-12, 0, third, 7, 12),
        ]
        for k, chord in enumerate(chords):
            length = 2 if k == 3 else 1
            for voice, step in enumerate(chord):
                notes.append(
                    Note(
                        now,
                        0.95 * length,
                        tonic + step,
                        (0.3, 0.1, 0.4, -0.2)[k] + 0.2 * (voice in (0, 4)),
                    )
                )
            pedal.append((now + 0.15, now + length + 0.02))
            now += length
    return Score("Cadences I IV V7 I in all 24 keys", notes, pedal, 150, "train")


def arpeggios():
    """Two octaves of the triad up and down, in one pedal."""
    notes, pedal, now = [], [], 0.0
    for tonic, mode in KEYS:
        third = STEPS[mode][2]
        line = [12 * octave + step for octave in range(2) for step in (0, third, 7)] + [24]
        line += line[-2::-1]
        begin = now
        for k, step in enumerate(line):
            length = 1.25 if k == len(line) - 1 else 0.25
            notes.append(Note(now, length, tonic - 12 + step, _at(-0.3, len(line), k)))
            now += length
        pedal.append((begin + 0.1, now))
        now += 0.25
    return Score("Arpeggios in all 24 keys, two octaves", notes, pedal, 150, "validation")


SCORES = {f.__name__: f for f in (prelude, scales, cadences, arpeggios, minuet)}
