/* live.h: the live channel of a decision in Redis (publish/subscribe; lost messages are made good
 * from the event log). Channel names start with QUEUE_PREFIX-free "t:{tenant}:".
 *
 * On live_channel, from the agent:
 *   {"k":"commit","seq":N}                                events up to N are in PostgreSQL
 *   {"k":"start","step":ACTION,"type":T,"name":N|null}    an action begins
 *   {"k":"chunk","seq":N,"step":ACTION,"attempt":A,"index":I,"text":"..."}   streamed model text;
 *                                                         N is the last committed seq
 *   {"k":"reset","step":ACTION,"attempt":A}               a call is repeated: forget its chunks
 *   {"k":"end","status":S}                                the decision has ended
 * On control_channel, to the agent: {"k":"cancel"}.
 * On job_channel, from the worker: {"k":"end","status":S}.
 * On document_channel, from the worker: {"k":"end","status":S}. */
#pragma once
#include "libcommon/base/arena.h"
#include "libcommon/base/id.h"

struct str live_channel(struct arena *a, struct uuid tenant, struct uuid decision);
struct str control_channel(struct arena *a, struct uuid tenant, struct uuid decision);
struct str job_channel(struct arena *a, struct uuid tenant, struct uuid job);
struct str document_channel(struct arena *a, struct uuid tenant, struct uuid document);
