#include "look.h"

#include <math.h>

#include <lpd/base/json.h>
#include <lpd/base/mem.h>

#include "resize.h"

#define SIDE 224

struct lp_names {
	const char *at[LP_LOOK_NAMES];
};

enum lp_code lp_names_read(struct lp_scope *scope, struct lp_names **out, struct lp_span json, struct lp_err *e)
{
	struct lp_names *names = lp_new(scope, struct lp_names);
	struct lp_err why;
	json_t *list;

	*out = NULL;
	if (lp_json_parse(scope, &list, json, &why) != LP_OK || json_array_size(list) != LP_LOOK_NAMES)
		return lp_fail(e, LP_CONFIG, "the list of names has not %d of them", LP_LOOK_NAMES);
	for (size_t i = 0; i < LP_LOOK_NAMES; i++) {
		names->at[i] = json_string_value(json_array_get(list, i));
		if (!names->at[i])
			return lp_fail(e, LP_CONFIG, "the list of names holds what is no text");
	}
	*out = names;
	return LP_OK;
}

/* Adds the shares that the network gives to what a part of the picture shows. */
static enum lp_code look_at(double shares[LP_LOOK_NAMES], const struct lp_look_want *want, const int part[4],
			    struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "look");
	struct lp_tensor in = { "data", { 1, 3, SIDE, SIDE }, 4, lp_new_array(tmp, float, 3 * SIDE * SIDE) };
	struct lp_onnx_io io = { .in = &in, .n_in = 1, .out = { .name = "output" } };
	const struct lp_image *im = lp_image_resize(tmp, lp_image_crop(tmp, want->picture, part), SIDE, SIDE);

	for (int i = 0; i < SIDE * SIDE; i++) {
		for (int c = 0; c < 3; c++)
			in.v[c * SIDE * SIDE + i] = (im->px[4 * i + c] * 255.0f - 127.0f) / 128.0f;
	}
	enum lp_code code = lp_onnx_run(tmp, want->net, &io, e);

	if (code == LP_OK && lp_tensor_count(&io.out) != LP_LOOK_NAMES)
		code = lp_fail(e, LP_RUNNER, "the network's answer has another size");
	if (code == LP_OK) {
		double sum = 0, high = -1e30;

		for (int i = 0; i < LP_LOOK_NAMES; i++)
			high = fmax(high, (double)io.out.v[i]);
		for (int i = 0; i < LP_LOOK_NAMES; i++)
			sum += exp((double)io.out.v[i] - high);
		for (int i = 0; i < LP_LOOK_NAMES; i++)
			shares[i] += exp((double)io.out.v[i] - high) / sum;
	}
	lp_scope_close(&tmp);
	return code;
}

/* The whole, squeezed, and the middle square: a thing at the side counts, and so does its shape. */
enum lp_code lp_look(struct lp_seen out[LP_LOOK_BEST], const struct lp_look_want *want, struct lp_err *e)
{
	int w = want->picture->w, h = want->picture->h, side = w < h ? w : h;
	const int parts[2][4] = { { 0, 0, w, h }, { (w - side) / 2, (h - side) / 2, (w + side) / 2, (h + side) / 2 } };
	double shares[LP_LOOK_NAMES] = { 0 };

	for (int i = 0; i < 2; i++) {
		enum lp_code code = look_at(shares, want, parts[i], e);

		if (code != LP_OK)
			return code;
	}
	for (int k = 0; k < LP_LOOK_BEST; k++) {
		int best = 0;

		for (int i = 1; i < LP_LOOK_NAMES; i++)
			best = shares[i] > shares[best] ? i : best;
		out[k] = (struct lp_seen){ want->names->at[best], (float)(shares[best] / 2) };
		shares[best] = -1;
	}
	return LP_OK;
}
