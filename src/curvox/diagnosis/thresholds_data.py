"""The numbers by which recordings and their labels are judged."""

SEEN_SEPARATION = 0.85
"""How often two recordings of one session of the median speaker have to be closer than two of different speakers, for
labels to be judged by embeddings. A small encoder has 0.9 and more after a hundred steps."""

LEARNT_SEPARATION = 0.75
"""How often any two recordings of one speaker have to be closer, before the channel is judged: a model that has learnt
nothing yet hears the channel first."""

FEWEST_FOR_SPLIT = 6
MOST_FOR_SPLIT = 24
"""Recordings of a label: fewer do not show two groups, more are thinned."""

FEWEST_PAIRS_FOR_SPLIT = 6

SPLIT_FAR_SHARE = 0.5
"""Share of a label's pairs, of one session, that are nearer to the distance of different speakers than to that of the
same one. Two voices in equal parts give 0.55; the worst label of a sound corpus had 0.2 to 0.4."""

SPLIT_SCORE, SPLIT_DISTANCE = 0.75, 0.8
"""How much farther apart they are than within, 1 for different speakers,
and their distance over that of different speakers. One voice in one session has up to 0.5 and 0.7. Groups of different
sessions are two voices only where few labels are like that."""

FOLLOWED = 0.7
"""Share of same-session pairs that a split keeps together, from which on it follows the sessions. A split that has
nothing to do with them keeps half."""

FEW_WITH_SESSIONS = 0.4
"""Share of labels with several sessions, up to which a split along them is taken for two voices: the other speakers
have one session. Where most have several, it cannot be told from the channel."""

FEWEST_FOR_MERGED = 3
MERGED_SHARE = 0.55
"""Share of the recordings of two labels whose nearest recording of any other label is of the other of the two: towards
1 for one voice. Two that sound alike have up to 1 as well, so the next is asked for too."""

MERGED_RATIO = 1.05
"""Distance to the nearest recording of that other label over that to the nearest of the own one. One voice that was
dealt to two labels has about 1, since the own label offers one recording less; two that sound alike 1.1."""

SPLIT_SHARE, MERGED_SHARE_OF_LABELS = 0.1, 0.05
FEWEST_SPLIT, FEWEST_MERGED = 3, 2
"""Shares and numbers of suspicious labels for a warning; sound runs of small models find up to 8 % of labels split."""

CHANNEL_SPEAKERS = 0.5
"""Share of speakers with two sessions, below which sessions are no matter of the corpus."""

FEWEST_CHANNEL_SPEAKERS = 4
WITHIN_SESSION, ACROSS_SESSIONS, CHANNEL_LOSS = 0.85, 0.85, 0.15
"""How often same-speaker pairs are closer than different ones: at least, in one session; at most, across sessions; and
the least difference of both."""

SILENT_SPEECH_S, SILENT_SHARE = 0.1, 0.98
"""A recording is silent with less speech than this, or more silence than this."""

SILENT_LEVEL_DB = -45.0
"""A recording that is louder has something in it, though speech may not stand out; recordings of speech have -35 to
-15 dB."""

CLIPPED_SAMPLES = 0.005
"""Share of samples at full scale from which a recording counts as clipped: music is made with 0.0001, and speech that
is cut off audibly has 0.01 and more."""

DC_OFFSET = 0.02
"""Mean of the samples, of full scale 1, from which a recording has an offset worth a word: a tenth of loud speech."""

DURATION_OFF_S, DURATION_OFF_SHARE = 0.1, 0.005
"""How far the duration in a manifest may be off: the padding of a codec, or the rounding of a long one."""

QUALITY_NOTE, SILENT_WARNING, SILENT_FAILURE, CLIPPED_WARNING = 0.01, 0.05, 0.5, 0.15
"""Shares of the recordings that were measured."""

COPIES_NOTE, COPIES_WARNING, COPIES_ACROSS_WARNING = 0.0, 0.1, 0.005
"""Share of recordings that repeat another of one speaker and split; across speakers or splits fewer are bad enough."""

SINGLE_NOTE, SINGLE_WARNING = 0.33, 0.67
"""Share of speakers with one recording. Many corpora have a part of which that is true."""

ONE_SESSION_NOTE = 0.9
"""Share of speakers with one session."""

LARGEST_SHARE, TIMES_EVEN = 0.25, 4.0
"""Share of the recordings that one speaker has, and how many times the even share that is."""

TOP_SHARE, TIMES_EVEN_TOP = 0.1, 3.5
"""The tenth of the speakers that have most recordings, and how many times their even share they have."""

EFFECTIVE_SHARE, EFFECTIVE_SPEAKERS = 0.4, 32.0
"""exp of the entropy of the speakers' shares, over their number and as it is. An uneven corpus with fewer effective
speakers fills its batches with a few of them; a large one has enough all the same."""

FEWEST_SPEAKERS_FOR_BALANCE = 4
