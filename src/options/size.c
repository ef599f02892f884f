#include <lpd/options/size.h>

#include <stdio.h>

struct unit {
	const char *name;
	int64_t bytes;
};

/* Binary before decimal: lp_size_text prefers them. */
static const struct unit units[] = {
	{ "TiB", INT64_C(1) << 40 },
	{ "GiB", INT64_C(1) << 30 },
	{ "MiB", INT64_C(1) << 20 },
	{ "KiB", INT64_C(1) << 10 },
	{ "TB", INT64_C(1000000000000) },
	{ "GB", INT64_C(1000000000) },
	{ "MB", INT64_C(1000000) },
	{ "kB", INT64_C(1000) },
	{ "B", 1 },
	{ "", 1 },
};
enum { UNITS = sizeof(units) / sizeof(units[0]) };

static const struct unit *unit_of(struct lp_span name)
{
	for (size_t i = 0; i < UNITS; i++) {
		if (lp_span_is_icase(name, units[i].name))
			return &units[i];
	}
	return NULL;
}

bool lp_size_parse(struct lp_span text, int64_t *out)
{
	size_t digits = 0;
	double n;

	while (digits < text.len && ((text.at[digits] >= '0' && text.at[digits] <= '9') || text.at[digits] == '.'))
		digits++;
	struct lp_span number = lp_span_of(text.at, digits), name = lp_span_skip(text, digits);
	if (name.len > 1 && name.at[0] == ' ')
		name = lp_span_skip(name, 1);
	const struct unit *unit = unit_of(name);
	uint64_t whole;

	if (!unit || !lp_span_f64(number, &n) || n * (double)unit->bytes > 0x1p60)
		return false;
	/* Whole numbers stay exact above 2^53. */
	if (lp_span_u64(number, &whole))
		*out = (int64_t)whole * unit->bytes;
	else
		*out = (int64_t)(n * (double)unit->bytes);
	return true;
}

char *lp_size_text(int64_t bytes, char to[32])
{
	const struct unit *unit = &units[UNITS - 1];

	for (size_t i = 0; i < UNITS; i++) {
		/* "10MB" beats "10000kB", and "64KiB" "65536". */
		if (bytes != 0 && units[i].bytes > unit->bytes && bytes % units[i].bytes == 0)
			unit = &units[i];
	}
	snprintf(to, 32, "%lld%s", (long long)(bytes / unit->bytes), unit->name);
	return to;
}
