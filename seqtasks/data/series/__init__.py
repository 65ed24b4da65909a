"""Series of measurements: readers, splits, scaling, batches.

A task type uses them in this order; each function says what it refuses:

    columns = Columns(id="patient", target="label")   # what the user says of a table; the rest is guessed
    data = load.load(source, columns)                 # SeriesData: SeriesSets by split, roles, kind, fingerprint
    parts, notes = splits.split(data, kind)           # what the files do not split is held out
    scaling = Scaling.fit(parts["train"])             # of training series only; stored in the Spec of the run
    inputs = Inputs(scaling, measured, irregular)     # arrays of a batch: filled, padded, masks, gaps, statics
    batches = SeriesBatches(inputs.examples(parts["train"], targets), 32, inputs=inputs)

A `SeriesSet` holds steps as `Segments`: begins and lengths in one array of steps, which may be mapped from disk.
Choosing series, cutting them in time (`splits.cut_in_time`) and taking windows copies no steps. Tasks without a target
for each series (forecasting, anomaly detection) read with `Columns(labels="none")`; what they predict at each step is a
channel.
"""
