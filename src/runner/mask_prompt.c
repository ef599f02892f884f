/* The prompt of runner/mask as it comes: JSON inside text fields. */
#include "mask.h"

#include <math.h>
#include <string.h>

#include <lpd/base/json.h>

static bool number(const json_t *json, float *out)
{
	double v = json_number_value(json);

	*out = (float)v;
	return json_is_number(json) && isfinite(v);
}

static float within(float v, int side)
{
	return v > 0.0f ? (v < (float)(side - 1) ? v : (float)(side - 1)) : 0.0f;
}

static enum lp_code read_list(struct lp_scope *scope, const json_t **out, struct lp_span text, const char *field,
			      struct lp_err *e)
{
	bool pairs = strcmp(field, "point_coords") == 0;
	struct lp_err ignored;
	json_t *json = NULL;

	*out = NULL;
	if (!text.len)
		return LP_OK;
	if (lp_json_parse(scope, &json, text, &ignored) != LP_OK || !json_is_array(json))
		return lp_fail(e, LP_BAD_REQUEST, "%s is no JSON list", field);
	*out = json;
	/* One picture's list may stand in a list of its own: [[[x, y]]], [[1]], [[x1, y1, x2, y2]]. */
	while (json_array_size(*out) == 1 && json_is_array(json_array_get(*out, 0)) &&
	       (!pairs || json_is_array(json_array_get(json_array_get(*out, 0), 0))))
		*out = json_array_get(*out, 0);
	return LP_OK;
}

static enum lp_code add_points(struct lp_mask_prompt *out, const struct lp_mask_text *t, const json_t *points,
			       const json_t *labels, struct lp_err *e)
{
	float sx = t->fractions ? (float)t->w : 1.0f, sy = t->fractions ? (float)t->h : 1.0f;
	size_t n = json_array_size(points);

	if (n > LP_MASK_POINTS)
		return lp_fail(e, LP_BAD_REQUEST, "point_coords has more than %d points", LP_MASK_POINTS);
	if (json_array_size(labels) != n)
		return lp_fail(e, LP_BAD_REQUEST, "point_labels must have one label for each of point_coords");
	for (size_t i = 0; i < n; i++) {
		const json_t *pair = json_array_get(points, i), *label = json_array_get(labels, i);
		float x, y;

		if (json_array_size(pair) != 2 || !number(json_array_get(pair, 0), &x) ||
		    !number(json_array_get(pair, 1), &y))
			return lp_fail(e, LP_BAD_REQUEST, "point_coords must be a list of [x, y]");
		if (!json_is_number(label))
			return lp_fail(e, LP_BAD_REQUEST, "point_labels must be a list of 0 and 1");
		out->points[i].x = within(x * sx, t->w);
		out->points[i].y = within(y * sy, t->h);
		out->points[i].in = json_number_value(label) > 0.0;
	}
	out->n_points = (int)n;
	return LP_OK;
}

static enum lp_code add_box(struct lp_mask_prompt *out, const struct lp_mask_text *t, const json_t *box,
			    struct lp_err *e)
{
	for (size_t i = 0; i < 4; i++) {
		int side = i % 2 ? t->h : t->w;
		float v;

		if (json_array_size(box) != 4 || !number(json_array_get(box, i), &v))
			return lp_fail(e, LP_BAD_REQUEST, "box must be [x1, y1, x2, y2]");
		out->box[i] = within(t->fractions ? v * (float)side : v, side + 1);
	}
	if (out->box[2] - out->box[0] < 2.0f || out->box[3] - out->box[1] < 2.0f)
		return lp_fail(e, LP_BAD_REQUEST,
			       "box must be at least two pixels wide and high, and inside the picture");
	out->has_box = true;
	return LP_OK;
}

enum lp_code lp_mask_prompt_read(struct lp_mask_prompt *out, const struct lp_mask_text *text, struct lp_err *e)
{
	struct lp_scope *scope = lp_scope_open(NULL, "prompt");
	const json_t *points, *labels, *box;
	enum lp_code code = read_list(scope, &points, text->points, "point_coords", e);

	*out = (struct lp_mask_prompt){ .n_points = 0 };
	if (code == LP_OK)
		code = read_list(scope, &labels, text->labels, "point_labels", e);
	if (code == LP_OK)
		code = read_list(scope, &box, text->box, "box", e);
	if (code == LP_OK && points)
		code = add_points(out, text, points, labels, e);
	if (code == LP_OK && box)
		code = add_box(out, text, box, e);
	lp_scope_close(&scope);
	return code;
}
