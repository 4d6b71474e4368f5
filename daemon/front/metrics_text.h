#pragma once

/* OpenMetrics as text (OpenMetrics 1.0). */

#include <stdint.h>

#include "base/buffer.h"

#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO };

/* Begins a family: its samples follow before the next begins. name is without tokenbroker_ and
 * without the suffix that counters' and infos' samples have. */
struct metric {
    struct buffer *out;
    const char *name;
    enum metric_type type;
};
struct metric metric_begin(struct buffer *out, const char *name, enum metric_type type,
                           const char *help);

/* One label of a sample. Values are escaped. */
struct metric_label {
    const char *name;
    const char *value;
};

enum { METRIC_LABELS_MAX = 2 };

/* One sample; labels may be NULL, else METRIC_LABELS_MAX, those without a name left out. */
void metric_put(const struct metric *metric, const struct metric_label *labels, uint64_t value);

/* The end of the whole text. */
void metrics_end(struct buffer *out);
