"""Causes that lie in the recordings, and in labels that do not fit the voices."""

from curvox.diagnosis.cause import Cause

DATA = (
    Cause(
        "no_positives",
        "Batches without a same-speaker pair",
        "data",
        "The loss compares recordings of one speaker with each other, and most batches hold no two of them. There is "
        "nothing to pull together, and what is left only pushes.",
        "Make batches of P speakers with K recordings each.",
        "data: {recordings_per_speaker: 2}",
        ("never_active", "collapse", "dimensional_collapse", "wrong_direction", "label_blind"),
    ),
    Cause(
        "silent_recordings",
        "Recordings without speech",
        "data",
        "A recording that is silent, or nearly so, carries a speaker's label and no voice. Its embedding is that of "
        "silence, whoever it is said to be.",
        "Remove these recordings; trim long silences.",
        "",
        ("duplicate_recordings", "split_speakers", "few_items_rule"),
    ),
    Cause(
        "clipped_recordings",
        "Clipped recordings",
        "data",
        "The waveform was cut off at full scale, which adds overtones that are not the speaker's. Where it goes with "
        "certain speakers, the distortion is learnt as their voice.",
        "Record them again at a lower level, or clip the others too, by augmentation.",
        "augmentation: {clipping: {}}",
        ("channel_shortcut", "split_speakers"),
    ),
    Cause(
        "duplicate_recordings",
        "The same recording several times",
        "data",
        "Recordings of equal content make same-speaker pairs that are solved without hearing a voice, and under two "
        "labels they ask for the impossible. Across splits they make the dev EER a lie.",
        "Keep one of each; the evidence names them.",
        "",
        ("merged_speakers", "few_items_rule"),
    ),
    Cause(
        "few_recordings",
        "Too few recordings of a speaker",
        "data",
        "Most speakers come with one recording or one session, so that whatever marks the recording marks the speaker. "
        "The model has no reason to leave the channel out.",
        "Add recordings in other sessions, crop several times from long ones, and augment strongly.",
        "augmentation: {waveforms: {}, features: {}}",
        ("overfitting", "channel_shortcut"),
    ),
    Cause(
        "speaker_imbalance",
        "A few speakers have most of the recordings",
        "data",
        "Batches are mostly of a few speakers, whose centres get most of the steps. The others are trained on as an "
        "afterthought.",
        "Balance the batches over speakers.",
        "data: {balance: speaker}",
        ("no_positives", "few_recordings", "few_items_rule"),
    ),
)

LABELS = (
    Cause(
        "split_speakers",
        "One label that looks like two voices",
        "data",
        "The embeddings of one speaker fall into two groups that are as far apart as different speakers are. The label "
        "probably stands for two people, and the loss pulls them together against what it hears.",
        "Listen to one recording of each group; correct the label, or use sub-centres.",
        "loss: {sub_centres: 3}",
        ("few_items_rule",),
    ),
    Cause(
        "merged_speakers",
        "Two labels that look like one voice",
        "data",
        "The recordings of two speakers lie among each other, as those of one do. The two labels probably stand for "
        "one person, whom the loss tears apart.",
        "Listen to both; merge the labels if it is one person.",
        "",
        ("few_items_rule",),
    ),
    Cause(
        "channel_shortcut",
        "The channel predicts the speaker better than the voice does",
        "data",
        "Recordings of one session are much nearer to each other than recordings of one speaker across sessions, and "
        "other speakers of the same session or channel lie in between. The loss is solved by what marks the recording.",
        "Pair recordings across sessions, and augment with noise, rooms, telephone lines and codecs; judge by trials "
        "across sessions.",
        "augmentation: {waveforms: {}, telephone: {}}",
        ("overfitting",),
    ),
)
"""Judged through the embeddings: where these are at fault themselves, that comes first."""
