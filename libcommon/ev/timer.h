/* timer.h: one-shot timers. Embedded by the owner. */
#pragma once
#include "libcommon/ev/loop.h"

struct timer {
    struct loop *loop;
    void *event;
    void (*fn)(struct timer *t);
    bool armed;
};

void timer_init(struct timer *t, struct loop *l, void (*fn)(struct timer *t));
/* (Re)starts; fires once after ms (0: next turn). Many timers with one duration are cheap. */
void timer_start(struct timer *t, int64_t ms);
void timer_stop(struct timer *t); /* repeatable */
void timer_done(struct timer *t); /* stops and releases; repeatable; zeroed timers are fine */
