#include <lpd/market/pin.h>

#include <string.h>

static struct lp_span place_of(struct lp_span uri)
{
	ptrdiff_t scheme = lp_span_find(uri, LP_SPAN("://"));

	if (scheme >= 0)
		uri = lp_span_skip(uri, (size_t)scheme + 3);
	while (lp_span_ends(uri, "/"))
		uri.len--;
	return uri;
}

static enum lp_code add(struct lp_pin *pin, struct lp_span word, struct lp_err *e)
{
	struct lp_pin_word *w = &pin->words[pin->n];

	if (pin->n == LP_PIN_WORDS)
		return lp_fail(e, LP_BAD_REQUEST, "Lp-Orchestrator names more than %d", LP_PIN_WORDS);
	*w = (struct lp_pin_word){ .shuts_out = lp_span_starts(word, "!") };
	if (w->shuts_out)
		word = lp_span_trim(lp_span_skip(word, 1));
	w->place = place_of(word);
	if (!w->place.len)
		return lp_fail(e, LP_BAD_REQUEST, "Lp-Orchestrator has a word that names nobody");
	w->is_address = lp_span_starts(word, "0x") && lp_address_read(&w->address, word);
	pin->n_wanted += !w->shuts_out;
	pin->n++;
	return LP_OK;
}

enum lp_code lp_pin_parse(struct lp_pin *pin, struct lp_span text, struct lp_err *e)
{
	pin->n = pin->n_wanted = 0;
	while (text.at) {
		struct lp_span word = lp_span_trim(lp_span_cut(&text, ','));

		if (word.len && add(pin, word, e) != LP_OK)
			return e ? e->code : LP_BAD_REQUEST;
	}
	return LP_OK;
}

/* "[::1]:8935" is named by itself and by "[::1]". */
static bool is_host_of(struct lp_span host, struct lp_span place)
{
	return place.len > host.len && memcmp(place.at, host.at, host.len) == 0 && place.at[host.len] == ':' &&
	       memchr(place.at + host.len + 1, ':', place.len - host.len - 1) == NULL;
}

static bool names(const struct lp_pin_word *w, struct lp_span place, struct lp_span address)
{
	if (w->is_address)
		return address.len == LP_ADDRESS_LEN && memcmp(address.at, w->address.bytes, address.len) == 0;
	return lp_span_eq(w->place, place) || is_host_of(w->place, place);
}

bool lp_pin_allows(const struct lp_pin *pin, struct lp_span uri, struct lp_span address)
{
	struct lp_span place = place_of(uri);
	bool wanted = false;

	for (int i = 0; i < pin->n; i++) {
		if (!names(&pin->words[i], place, address))
			continue;
		if (pin->words[i].shuts_out)
			return false;
		wanted = true;
	}
	return wanted || !pin->n_wanted;
}
