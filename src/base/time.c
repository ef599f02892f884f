#include <lpd/base/time.h>

#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>

#define TEN_YEARS (INT64_C(10) * 365 * 24 * LP_HOUR)

struct unit {
	const char *name;
	int64_t nanos;
};

/* Longer names first where one begins another. */
static const struct unit units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xc2\xb5s", 1000 },	/* micro sign */
	{ "\xce\xbcs", 1000 },	/* Greek mu */
	{ "ms", 1000 * LP_MSEC },
	{ "s", 1000 * LP_SEC },
	{ "m", 1000 * LP_MIN },
	{ "h", 1000 * LP_HOUR },
};

static const struct unit *cut_unit(struct lp_span *rest)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (lp_span_starts(*rest, units[i].name)) {
			*rest = lp_span_skip(*rest, strlen(units[i].name));
			return &units[i];
		}
	}
	return NULL;
}

/* The digits at the front, as a number and how many there were; false above 10^15, which no unit allows. */
static bool cut_digits(struct lp_span *rest, uint64_t *n, size_t *digits)
{
	size_t len = 0;

	while (len < rest->len && rest->at[len] >= '0' && rest->at[len] <= '9')
		len++;
	*n = 0;
	*digits = len;
	if (len > 0 && (!lp_span_u64(lp_span_of(rest->at, len), n) || *n > UINT64_C(1000000000000000)))
		return false;
	*rest = lp_span_skip(*rest, len);
	return true;
}

/* One "1.5h" at the front of *rest, in nanoseconds.  Digits below a nanosecond are dropped, as Go does. */
static bool cut_part(struct lp_span *rest, double *nanos)
{
	uint64_t whole, fraction = 0;
	size_t digits, fraction_digits = 0;

	if (!cut_digits(rest, &whole, &digits))
		return false;
	if (rest->len > 0 && rest->at[0] == '.') {
		*rest = lp_span_skip(*rest, 1);
		if (!cut_digits(rest, &fraction, &fraction_digits))
			return false;
	}
	if (digits + fraction_digits == 0)
		return false;
	const struct unit *unit = cut_unit(rest);
	if (!unit)
		return false;
	double scale = 1;
	for (size_t i = 0; i < fraction_digits; i++)
		scale *= 10;
	*nanos = (double)whole * (double)unit->nanos + (double)fraction * ((double)unit->nanos / scale);
	return true;
}

bool lp_duration_parse(struct lp_span text, int64_t *out)
{
	if (lp_span_is(text, "0")) {
		*out = 0;
		return true;
	}
	double sum = 0;

	if (text.len == 0)
		return false;
	while (text.len > 0) {
		double part;
		if (!cut_part(&text, &part))
			return false;
		sum += part;
		if (sum > (double)TEN_YEARS * 1000)
			return false;
	}
	/* Below our microsecond there is nothing but zero, and a wait of zero may mean "none": refuse. */
	if (sum > 0 && sum < 1000)
		return false;
	*out = (int64_t)(sum / 1000 + 1e-3);
	return true;
}

/* " . and up to six digits", without zeros at the end. */
static int write_fraction(char *to, size_t cap, int64_t n, int digits)
{
	if (n == 0)
		return 0;
	while (n % 10 == 0) {
		n /= 10;
		digits--;
	}
	return snprintf(to, cap, ".%0*d", digits, (int)n);
}

static char *small_text(int64_t t, char to[32])
{
	if (t < LP_MSEC) {
		snprintf(to, 32, "%dus", (int)t);
		return to;
	}
	int n = snprintf(to, 32, "%d", (int)(t / LP_MSEC));
	n += write_fraction(to + n, 32 - (size_t)n, t % LP_MSEC, 3);
	snprintf(to + n, 32 - (size_t)n, "ms");
	return to;
}

char *lp_duration_text(int64_t t, char to[32])
{
	if (t == LP_NEVER || t < 0) {
		snprintf(to, 32, "%s", t < 0 ? "before" : "never");
		return to;
	}
	if (t == 0 || t < LP_SEC)
		return t ? small_text(t, to) : memcpy(to, "0s", 3);
	int n = 0;

	if (t >= LP_HOUR)
		n += snprintf(to, 32, "%lldh", (long long)(t / LP_HOUR));
	if (t % LP_HOUR >= LP_MIN)
		n += snprintf(to + n, 32 - (size_t)n, "%dm", (int)(t % LP_HOUR / LP_MIN));
	if (t % LP_MIN > 0) {
		n += snprintf(to + n, 32 - (size_t)n, "%d", (int)(t % LP_MIN / LP_SEC));
		n += write_fraction(to + n, 32 - (size_t)n, t % LP_SEC, 6);
		snprintf(to + n, 32 - (size_t)n, "s");
	}
	return to;
}

struct date {
	int year, month, day, weekday;	/* month 1..12, weekday 0 = Sunday */
	int hour, minute, second, milli;
};

/* The Gregorian calendar from days since 1970, counted in eras of 400 years that begin on 1 March, so that
 * the leap day is the last of its year. */
static struct date date_of(int64_t wall)
{
	int64_t day_usec = 24 * LP_HOUR;
	int64_t days = wall / day_usec - (wall % day_usec < 0);
	int64_t usec = wall - days * day_usec;
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t in_era = shifted - era * 146097;
	int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * in_year + 2) / 153;	/* 0 = March */

	return (struct date){
		.year = (int)(year + era * 400 + (month >= 10)),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(in_year - (153 * month + 2) / 5 + 1),
		.weekday = (int)(((days + 4) % 7 + 7) % 7),
		.hour = (int)(usec / LP_HOUR),
		.minute = (int)(usec % LP_HOUR / LP_MIN),
		.second = (int)(usec % LP_MIN / LP_SEC),
		.milli = (int)(usec % LP_SEC / LP_MSEC),
	};
}

/* Exactly `digits` digits; returns the place after them. */
static char *put(char *to, int n, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		to[i] = (char)('0' + n % 10);
		n /= 10;
	}
	return to + digits;
}

static char *put_clock(char *to, const struct date *d)
{
	to = put(to, d->hour, 2);
	*to++ = ':';
	to = put(to, d->minute, 2);
	*to++ = ':';
	return put(to, d->second, 2);
}

char *lp_time_text(int64_t wall, char to[32])
{
	struct date d = date_of(wall);
	char *at = put(to, d.year, 4);

	*at++ = '-';
	at = put(at, d.month, 2);
	*at++ = '-';
	at = put(at, d.day, 2);
	*at++ = 'T';
	at = put_clock(at, &d);
	*at++ = '.';
	at = put(at, d.milli, 3);
	memcpy(at, "Z", 2);
	return to;
}

char *lp_time_http(int64_t wall, char to[32])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct date d = date_of(wall);
	char *at = to;

	memcpy(at, days + 3 * d.weekday, 3);
	memcpy(at + 3, ", ", 2);
	at = put(at + 5, d.day, 2);
	*at++ = ' ';
	memcpy(at, months + 3 * (d.month - 1), 3);
	at += 3;
	*at++ = ' ';
	at = put(at, d.year, 4);
	*at++ = ' ';
	at = put_clock(at, &d);
	memcpy(at, " GMT", 5);
	return to;
}
