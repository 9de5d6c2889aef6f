/* fault.c: fault points of test builds. The environment is read at each passage, so that a test may
 * arm and disarm in its own process; passages are counted anew when the text changes. */
#include "libcommon/base/compat.h"
#include "libcommon/base/fault.h"

#ifdef CEO_FAULTS
#include <signal.h>
#include <unistd.h>
#include "libcommon/base/metrics.h"
#include "libcommon/base/str.h"

#define FAULTS_MAX 32
#define HANG_S 3600

struct fault {
    struct str point, action;
    int64_t at; /* the passage that fires; 0: each */
    int64_t passed;
};

static char *armed_text;
static struct fault faults[FAULTS_MAX];
static size_t fault_count;

/* "point=action" or "point=action@n"; anything else is a mistake in a test and ends the process. */
static struct fault fault_parse(struct str item)
{
    struct fault f = {0};
    struct str count;

    f.point = str_trim(str_split(&item, '='));
    count = item;
    f.action = str_trim(str_split(&count, '@'));
    if (f.action.n == 0 || (count.p != NULL && str_i64(str_trim(count), &f.at) != 0)) {
        fprintf(stderr, "CEO_FAULTS: cannot read the item for %.*s\n", STR_ARG(f.point));
        abort();
    }
    return f;
}

static void fault_load(void)
{
    const char *text = getenv("CEO_FAULTS");
    struct str rest;

    text = text == NULL ? "" : text;
    if (armed_text != NULL && strcmp(armed_text, text) == 0)
        return;
    free(armed_text);
    armed_text = xstrdup(text);
    fault_count = 0;
    rest = str_of(armed_text);
    while (rest.n > 0 && fault_count < FAULTS_MAX)
        faults[fault_count++] = fault_parse(str_split(&rest, ','));
}

bool fault_hit(const char *point)
{
    fault_load();
    for (size_t i = 0; i < fault_count; i++) {
        struct fault *f = &faults[i];

        if (!str_eqz(f->point, point))
            continue;
        f->passed++;
        if (f->at != 0 && f->at != f->passed)
            continue;
        metric_add(M_FAULTS, 1, point, NULL, NULL);
        if (str_eqz(f->action, "kill"))
            raise(SIGKILL);
        if (str_eqz(f->action, "hang"))
            sleep(HANG_S);
        return str_eqz(f->action, "fail");
    }
    return false;
}
#endif
