#include "front/metrics_text.h"

#include <inttypes.h>

static const struct {
    const char *name;
    const char *suffix;
} types[] = {
    [METRIC_GAUGE] = { "gauge", "" },
    [METRIC_COUNTER] = { "counter", "_total" },
    [METRIC_INFO] = { "info", "_info" },
};

struct metric metric_begin(struct buffer *out, const char *name, enum metric_type type,
                           const char *help)
{
    buffer_append_format(out, "# TYPE tokenbroker_%s %s\n", name, types[type].name);
    buffer_append_format(out, "# HELP tokenbroker_%s %s\n", name, help);
    return (struct metric){ out, name, type };
}

static void put_escaped(struct buffer *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n') {
            buffer_append_text(out, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            buffer_append_char(out, '\\');
        buffer_append_char(out, *value);
    }
}

static void put_labels(struct buffer *out, const struct metric_label *labels)
{
    const char *before = "{";

    for (size_t i = 0; i < METRIC_LABELS_MAX && labels[i].name; i++) {
        buffer_append_format(out, "%s%s=\"", before, labels[i].name);
        put_escaped(out, labels[i].value);
        buffer_append_char(out, '"');
        before = ",";
    }
    buffer_append_char(out, '}');
}

void metric_put(const struct metric *metric, const struct metric_label *labels, uint64_t value)
{
    buffer_append_format(metric->out, "tokenbroker_%s%s", metric->name, types[metric->type].suffix);
    if (labels)
        put_labels(metric->out, labels);
    buffer_append_format(metric->out, " %" PRIu64 "\n", value);
}

void metrics_end(struct buffer *out)
{
    buffer_append_text(out, "# EOF\n");
}
