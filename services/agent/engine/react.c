/* react.c: think, act, observe. The model calls tools as it needs them, several at once when they
 * do not depend on each other, and ends by submitting. All of that is turn.c; this strategy adds
 * nothing but its prompt. */
#include "libcommon/base/compat.h"
#include "services/agent/engine/state.h"

static void react_start(struct engine *e)
{
    budget_call_model(e, &e->main, NULL);
}

const struct strategy strategy_react = {
    .name = "react",
    .start = react_start,
};
