/* clock.c: time from the kernel or from a test. Calendar arithmetic is done here because gmtime and
 * timegm go through the time zone data of libc. */
#include "libcommon/base/compat.h"
#include "libcommon/base/clock.h"
#include "libcommon/base/err.h"
#include <time.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define YEAR_9999_END INT64_C(253402300799999999)

static clock_fn *mono_fn, *wall_fn;

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * SECOND + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return mono_fn != NULL ? mono_fn() : read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
    return wall_fn != NULL ? wall_fn() : read_clock(CLOCK_REALTIME);
}

void clock_replace(clock_fn *mono, clock_fn *wall)
{
    mono_fn = mono;
    wall_fn = wall;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, counted in years that start in March
 * so that the leap day is the last of its year. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    int64_t era, yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = y - era * 400;
    doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int *y, int *m, int *d)
{
    int64_t era, doe, yoe, doy, mp;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    doe = days - era * 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = (int)(yoe + era * 400 + (*m <= 2));
}

char *clock_iso(int64_t wall_us, char out[CLOCK_ISO_LEN])
{
    int64_t us = MIN(MAX(wall_us, 0), YEAR_9999_END), ms = us % DAY / 1000;
    int y, m, d;

    date_of(us / DAY, &y, &m, &d);
    snprintf(out, CLOCK_ISO_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)y % 10000,
             (unsigned)m % 100, (unsigned)d % 100, (unsigned)(ms / 3600000) % 100,
             (unsigned)(ms / 60000 % 60), (unsigned)(ms / 1000 % 60), (unsigned)(ms % 1000));
    return out;
}

/* Exactly n digits at *s, within lo..hi; moves *s behind them. */
static bool digits(const char **s, int n, int lo, int hi, int *out)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if ((*s)[i] < '0' || (*s)[i] > '9')
            return false;
        v = v * 10 + ((*s)[i] - '0');
    }
    *s += n;
    *out = v;
    return v >= lo && v <= hi;
}

static bool literal(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static bool parse_date(const char **s, int64_t *days)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y, m, d;
    bool leap;

    if (!digits(s, 4, 0, 9999, &y) || !literal(s, '-') || !digits(s, 2, 1, 12, &m) ||
        !literal(s, '-') || !digits(s, 2, 1, 31, &d))
        return false;
    leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    *days = days_of(y, m, d);
    return d <= lengths[m - 1] + (leap && m == 2);
}

/* Digits behind the point; those after the sixth are dropped. */
static bool parse_fraction(const char **s, int64_t *us)
{
    int64_t unit = 100000;
    const char *start = *s;

    for (; **s >= '0' && **s <= '9'; (*s)++) {
        *us += (**s - '0') * unit;
        unit /= 10;
    }
    return *s > start;
}

static bool parse_time(const char **s, int64_t *us)
{
    int h, m, sec;

    if (!digits(s, 2, 0, 23, &h) || !literal(s, ':') || !digits(s, 2, 0, 59, &m) ||
        !literal(s, ':') || !digits(s, 2, 0, 60, &sec))
        return false;
    *us = (h * INT64_C(3600) + m * 60 + sec) * SECOND;
    return !literal(s, '.') || parse_fraction(s, us);
}

static bool parse_zone(const char **s, int64_t *us)
{
    int sign, h, m;

    *us = 0;
    if (literal(s, 'Z') || literal(s, 'z'))
        return true;
    sign = **s == '-' ? -1 : 1;
    if (!(literal(s, '+') || literal(s, '-')) || !digits(s, 2, 0, 23, &h) || !literal(s, ':') ||
        !digits(s, 2, 0, 59, &m))
        return false;
    *us = sign * (h * INT64_C(3600) + m * 60) * SECOND;
    return true;
}

int clock_parse_iso(const char *s, int64_t *out_us)
{
    int64_t days, time = 0, zone = 0;

    if (s == NULL || !parse_date(&s, &days))
        return ERR_INVALID;
    if (*s != '\0') {
        if (*s != 'T' && *s != 't' && *s != ' ')
            return ERR_INVALID;
        s++;
        if (!parse_time(&s, &time) || !parse_zone(&s, &zone) || *s != '\0')
            return ERR_INVALID;
    }
    *out_us = days * DAY + time - zone;
    return 0;
}
