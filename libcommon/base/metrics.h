/* metrics.h: the metrics of the suite, one table (metrics_table.h), Prometheus text 0.0.4. A series
 * is a metric and its label values; a metric has at most METRIC_SERIES_MAX of them, further ones
 * are counted together under the label value "other". One loop thread; no locks. */
#pragma once
#include "libcommon/base/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_SUMMARY };

#define METRIC_SERIES_MAX 1000
#define METRIC_LABELS_MAX 3

enum metric {
#define X(id, name, type, labels, buckets, help) id,
#include "libcommon/base/metrics_table.h"
#undef X
    METRIC__MAX
};

/* Label values follow in the order of the table, as many as the metric has; unused ones are NULL.
 */
void metric_add(enum metric m, double v, const char *l1, const char *l2, const char *l3);
void metric_set(enum metric m, double v, const char *l1, const char *l2, const char *l3);
void metric_observe(enum metric m, double v, const char *l1, const char *l2, const char *l3);
/* The present value (a histogram's or summary's count); 0 when the series does not exist. */
double metric_value(enum metric m, const char *l1, const char *l2, const char *l3);

#define metric_inc(m) metric_add((m), 1, NULL, NULL, NULL)

/* Functions called at each render, to set gauges from live state. At most 32. */
void metrics_on_render(void (*fn)(void *arg), void *arg);
void metrics_render(struct buf *out);
void metrics_reset(void); /* tests */
