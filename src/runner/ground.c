/* The ground from the horizon to the viewer's feet, and the insides: room, table, sea bed. */
#include <math.h>

#include "backdrop_priv.h"
#include "noise.h"

/* Where a line of the picture lies on the ground: t 0 at the horizon, 1 at the lower edge; z its distance. */
struct spot {
	float t, z, u, v;
};

static struct spot spot_at(const struct canvas *c, int x, int y)
{
	float t = lp_unit(((float)y - c->b->horizon) / ((float)c->im->h - c->b->horizon + 1.0f));
	float z = 1.0f / (t * 0.92f + 0.08f);

	return (struct spot){ t, z, ((float)x - (float)c->im->w * 0.5f) / c->unit * z, z * 2.0f };
}

/* Fill from the horizon down by a rule. */
static void fill(struct canvas *c, struct lp_rgb (*rule)(struct canvas *c, const struct spot *s))
{
	int top = c->b->horizon > 0.0f ? (int)c->b->horizon : 0;

	for (int y = top; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			struct spot s = spot_at(c, x, y);

			put(c, x, y, lp_rgb_mix(rule(c, &s), c->b->light.haze, 0.5f * powf(1.0f - s.t, 5.0f)));
		}
	}
}

static struct lp_rgb lit(const struct canvas *c, unsigned hex)
{
	return times(RGB(hex), c->b->light.ambient);
}

static struct lp_rgb grass_rule(struct canvas *c, const struct spot *s)
{
	bool autumn = c->scene->weather & LP_SEASON_AUTUMN, deep = c->scene->setting == LP_PLACE_FOREST;
	float n = lp_fbm(c->seed + 101, s->u * 2.2f, s->v * 2.0f, 5);
	float fine = lp_noise(c->seed + 102, s->u * 30.0f, s->v * 14.0f);
	struct lp_rgb dark = autumn ? lit(c, 0x7a6a2c) : deep ? lit(c, 0x2f5a30) : lit(c, 0x3f7d33);
	struct lp_rgb light = autumn ? lit(c, 0xc9a548) : deep ? lit(c, 0x6f9a45) : lit(c, 0xa4cf58);

	return scale(lp_rgb_mix(dark, light, lp_smooth(0.25f, 0.75f, n * 0.8f + fine * 0.2f)), 1.05f - 0.2f * s->t);
}

/* Blades, from far and short to near and long. */
static void blades(struct canvas *c, float from)
{
	int n = (int)((float)c->im->w * ((float)c->im->h - from) / 26.0f);
	bool autumn = c->scene->weather & LP_SEASON_AUTUMN, deep = c->scene->setting == LP_PLACE_FOREST;

	for (int i = 0; i < n; i++) {
		float t = (float)i / (float)n, y = from + ((float)c->im->h - from) * (0.04f + 0.98f * t);
		float x = chance(c, 0.0f, (float)c->im->w);
		float len = c->unit * (0.006f + 0.035f * t * t) * chance(c, 0.6f, 1.3f);
		float lean = chance(c, -0.35f, 0.35f) * len;
		struct lp_rgb a = autumn ? lit(c, 0x8a7430) : deep ? lit(c, 0x2c5a2c) : lit(c, 0x4a8f38);
		struct lp_rgb b = autumn ? lit(c, 0xd8b455) : deep ? lit(c, 0x7fae4e) : lit(c, 0xb8dc66);

		canvas_stroke(c, (float[]){ x, y, x + lean, y - len }, lp_rgb_mix(a, b, chance(c, 0.0f, 1.0f)), 0.55f);
	}
}

static void flowers(struct canvas *c)
{
	static const unsigned petals[] = { 0xffffff, 0xffd84a, 0xff7a9a, 0xd06ae0, 0xff5a4a, 0x8ab4ff };
	int n = c->scene->weather & LP_FLOWERS ? 260 : 46;

	for (int i = 0; i < n; i++) {
		float t = 0.08f + 0.92f * sqrtf((float)i / (float)n), x = chance(c, 0.0f, (float)c->im->w);
		float y = c->b->horizon + ((float)c->im->h - c->b->horizon) * t, r = c->unit * (0.002f + 0.006f * t);
		struct lp_rgb colour = lit(c, petals[lp_dice_below(&c->dice, 6)]);

		for (int k = 0; k < 5; k++)
			canvas_disc(c, (float[]){ x + cosf((float)k * 1.257f) * r,
						  y + sinf((float)k * 1.257f) * r * 0.8f, r * 0.75f,
						  r * 0.65f }, colour, 0.95f);
		canvas_disc(c, (float[]){ x, y, r * 0.55f, r * 0.5f }, lit(c, 0xf2b632), 1.0f);
	}
}

static struct lp_rgb sand_rule(struct canvas *c, const struct spot *s)
{
	float dune = lp_fbm(c->seed + 111, s->u * 1.3f, s->v * 1.1f, 4);
	float ripple = sinf((s->v * 9.0f + lp_fbm(c->seed + 112, s->u * 3.0f, s->v * 3.0f, 3) * 7.0f) * 3.0f);
	float grain = lp_noise_at(c->seed + 113, (int)(s->u * 260.0f), (int)(s->v * 260.0f));
	float light = 0.82f + 0.3f * dune + 0.035f * ripple * s->t + 0.05f * (grain - 0.5f);

	return scale(lp_rgb_mix(lit(c, 0xdab377), lit(c, 0xf4dca8), dune), light);
}

/* Long crests seen flat; sun or moon lays a path on them. */
static struct lp_rgb water_rule(struct canvas *c, const struct spot *s)
{
	const struct lp_light *l = &c->b->light;
	float wave = lp_fbm(c->seed + 121, s->u * 1.4f, s->v * 7.0f, 4);
	float fine = lp_fbm(c->seed + 122, s->u * 5.0f, s->v * 22.0f, 3);
	float crest = wave * 0.6f + fine * 0.4f;
	float side = s->u / s->z - (l->x - 0.5f) * (float)c->im->w / c->unit;
	float path = expf(-side * side / (0.006f + 0.03f * s->t)) * lp_smooth(0.52f, 0.66f, crest);
	struct lp_rgb sky = lp_rgb_mix(l->sky_low, l->sky_top, lp_unit(s->t * 1.1f));
	struct lp_rgb deep = times(c->scene->setting == LP_PLACE_BEACH ? RGB(0x1f9ab0) : RGB(0x1a5f8a), l->ambient);
	struct lp_rgb colour = lp_rgb_mix(lp_rgb_mix(sky, deep, 0.45f + 0.3f * s->t), sky,
					  lp_smooth(0.45f, 0.75f, crest) * 0.8f);

	colour = scale(colour, 0.82f + 0.36f * crest);
	return lp_rgb_mix(colour, lp_rgb_mix(l->sun, RGB(0xffffff), 0.4f), lp_unit(path * 0.85f));
}

/* Sand from a bent line on, with foam before it and wet sand behind. */
static void shore(struct canvas *c, float line)
{
	c->b->water = true;
	c->b->shore = line;
	for (int x = 0; x < c->im->w; x++) {
		float u = (float)x / c->unit;
		float edge = line + (lp_fbm(c->seed + 131, u * 2.2f, 0.5f, 4) - 0.5f) * c->unit * 0.09f;

		for (int y = (int)(edge - c->unit * 0.05f); y < c->im->h; y++) {
			float d = ((float)y - edge) / c->unit;
			float n = lp_fbm(c->seed + 132, u * 26.0f, (float)y / c->unit * 40.0f, 3);
			struct spot s = spot_at(c, x, y);
			struct lp_rgb sand = sand_rule(c, &s);

			if (y < 0)
				continue;
			if (d > 0.0f)
				lp_image_dab(c->im, x, y, scale(sand, 0.72f + 0.28f * lp_smooth(0.0f, 0.06f, d)),
					     lp_unit(d * c->unit));
			float foam = lp_smooth(-0.035f, -0.004f, d) * (1.0f - lp_smooth(0.002f, 0.014f, d));

			lp_image_dab(c->im, x, y, scale(RGB(0xffffff), 0.6f + 0.4f * c->b->light.ambient.g),
				     foam * lp_smooth(0.25f, 0.6f, n));
		}
	}
}

static void bank(struct canvas *c, float line)
{
	c->b->water = true;
	c->b->shore = line;
	for (int x = 0; x < c->im->w; x++) {
		float edge = line + (lp_fbm(c->seed + 135, (float)x / c->unit * 3.0f, 0.5f, 4) - 0.5f) *
				    c->unit * 0.06f;

		for (int y = (int)edge; y < c->im->h; y++) {
			struct spot s = spot_at(c, x, y);

			if (y >= 0)
				lp_image_dab(c->im, x, y, grass_rule(c, &s), lp_unit((float)y - edge));
		}
	}
	blades(c, line);
}

static struct lp_rgb snow_rule(struct canvas *c, const struct spot *s)
{
	float n = lp_fbm(c->seed + 141, s->u * 1.2f, s->v * 1.3f, 5);
	float spark = lp_noise_at(c->seed + 142, (int)(s->u * 300.0f), (int)(s->v * 300.0f)) > 0.992f ? 0.1f : 0.0f;

	return scale(lp_rgb_mix(lit(c, 0xb9cdea), lit(c, 0xffffff), lp_smooth(0.3f, 0.66f, n)), 0.98f + spark);
}

static struct lp_rgb moon_rule(struct canvas *c, const struct spot *s)
{
	float n = lp_fbm(c->seed + 151, s->u * 2.0f, s->v * 2.0f, 5);
	float cx = floorf(s->u * 1.2f), cy = floorf(s->v * 1.2f), dark = 0.0f;

	for (int k = 0; k < 9; k++) {	/* the crater of this cell and of its neighbours */
		int ix = (int)cx + k % 3 - 1, iy = (int)cy + k / 3 - 1;
		float px = (float)ix + lp_noise_at(c->seed + 152, ix, iy);
		float py = (float)iy + lp_noise_at(c->seed + 153, ix, iy);
		float r = 0.18f + 0.3f * lp_noise_at(c->seed + 154, ix, iy), dx = s->u * 1.2f - px;
		float dy = s->v * 1.2f - py;
		float d = sqrtf(dx * dx + dy * dy) / r;

		if (d < 1.15f)
			dark += (d < 0.9f ? -0.2f - 0.25f * dx / r : 0.25f * (1.15f - d) * 4.0f);
	}
	return scale(RGB(0xa3a3ab), 0.62f + 0.4f * n + dark * 0.6f);
}

static struct lp_rgb street_rule(struct canvas *c, const struct spot *s)
{
	float x = fabsf(s->u), n = lp_noise_at(c->seed + 161, (int)(s->u * 220.0f), (int)(s->v * 220.0f));
	float kerb = 1.15f;
	struct lp_rgb road = scale(lit(c, 0x5a5d66), 0.88f + 0.18f * n);
	struct lp_rgb slab = scale(lit(c, 0xb5aea2), 0.9f + 0.12f * n);
	bool gap = s->v * 1.3f - floorf(s->v * 1.3f) < 0.06f;

	if (x > kerb)
		return x < kerb + 0.08f ? lit(c, 0xd8d4c8) : scale(slab, gap ? 0.86f : 1.0f);
	if (x < 0.035f && s->v * 0.7f - floorf(s->v * 0.7f) < 0.55f)
		return lit(c, 0xf2efe2);
	return road;
}

static void floor_boards(struct canvas *c, unsigned dark, unsigned light)
{
	for (int y = (int)c->b->horizon; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			struct spot s = spot_at(c, x, y);
			float board = floorf(s.u * 3.2f), in = s.u * 3.2f - board;
			float n = lp_noise_at(c->seed + 171, (int)board, 0);
			float grain = lp_fbm(c->seed + 172 + (uint32_t)(int)board, s.u * 24.0f, s.v * 2.0f, 4);
			struct lp_rgb wood = lp_rgb_mix(lit(c, dark), lit(c, light),
							0.25f + 0.4f * n + 0.45f * (grain - 0.3f));

			put(c, x, y, scale(wood, (in < 0.035f ? 0.62f : 1.0f) * (0.78f + 0.26f * s.t)));
		}
	}
}

static void window_frame(struct canvas *c, const float box[4])
{
	struct lp_rgb frame = lit(c, 0xf4efe6);
	float bar = c->unit * 0.012f;

	for (int y = (int)(box[1] - bar); y < (int)(box[1] + box[3] + bar); y++) {
		for (int x = (int)(box[0] - bar); x < (int)(box[0] + box[2] + bar); x++) {
			float u = ((float)x - box[0]) / box[2], v = ((float)y - box[1]) / box[3];
			bool pane = u > 0.0f && u < 1.0f && v > 0.0f && v < 1.0f && fabsf(u - 0.5f) > 0.035f &&
				fabsf(v - 0.5f) > 0.03f;
			struct lp_rgb sky = lp_rgb_mix(c->b->light.sky_top, c->b->light.sky_low, lp_unit(v));

			if (v > 0.72f + 0.08f * sinf(u * 7.0f))
				sky = lit(c, 0x6fa05a);
			lp_image_dab(c->im, x, y, pane ? sky : frame, 1.0f);
		}
	}
}

static void room(struct canvas *c)
{
	static const unsigned walls[] = { 0xd9c7a8, 0xb7c9c4, 0xd4b3a2, 0xa9b8cc, 0xc9c29a };
	struct lp_rgb wall = lit(c, walls[lp_dice_below(&c->dice, 5)]);
	float side = lp_dice_below(&c->dice, 2) ? 0.66f : 0.1f;

	for (int y = 0; (float)y < c->b->horizon; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float u = (float)x / c->unit, v = (float)y / c->b->horizon;
			float away = fabsf((float)x / (float)c->im->w - side - 0.12f);
			float stripe = u * 14.0f - floorf(u * 14.0f) < 0.5f ? 1.0f : 0.965f;
			float n = lp_fbm(c->seed + 181, u * 6.0f, (float)y / c->unit * 6.0f, 3);

			put(c, x, y, scale(wall, stripe * (1.08f - 0.35f * away - 0.12f * v + 0.06f * (n - 0.5f)) *
						 (v > 0.955f ? 0.8f : 1.0f)));
		}
	}
	window_frame(c, (float[]){ side * (float)c->im->w, c->b->horizon * 0.16f, c->unit * 0.24f,
				   c->b->horizon * 0.5f });
	floor_boards(c, 0x7a4f2e, 0xc18b57);
	canvas_disc(c, (float[]){ (float)c->im->w * 0.5f, c->b->horizon + ((float)c->im->h - c->b->horizon) * 0.55f,
				  c->unit * 0.42f, c->unit * 0.13f }, lit(c, 0x9c3f3a), 0.9f);
	canvas_disc(c, (float[]){ (float)c->im->w * 0.5f, c->b->horizon + ((float)c->im->h - c->b->horizon) * 0.55f,
				  c->unit * 0.36f, c->unit * 0.105f }, lit(c, 0xd8a860), 0.8f);
	canvas_disc(c, (float[]){ (float)c->im->w * 0.5f, c->b->horizon + ((float)c->im->h - c->b->horizon) * 0.55f,
				  c->unit * 0.33f, c->unit * 0.095f }, lit(c, 0xa8483f), 0.9f);
}

/* Out of focus behind, boards in front. */
static void table(struct canvas *c)
{
	static const unsigned tones[][2] = { { 0x6f7f5a, 0xe8c98a }, { 0x7a5a4a, 0xf0d0a0 }, { 0x4f6a7a, 0xd8e0d0 } };
	const unsigned *tone = tones[lp_dice_below(&c->dice, 3)];

	for (int y = 0; (float)y < c->b->horizon; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float n = lp_fbm(c->seed + 191, (float)x / c->unit * 1.6f, (float)y / c->unit * 1.6f, 3);

			put(c, x, y, lp_rgb_mix(lit(c, tone[0]), lit(c, tone[1]), lp_smooth(0.2f, 0.8f, n)));
		}
	}
	for (int k = 0; k < 22; k++) {
		float at[3] = { chance(c, 0.0f, (float)c->im->w), chance(c, 0.0f, c->b->horizon * 0.92f),
				c->unit * chance(c, 0.03f, 0.08f) };

		canvas_disc(c, (float[]){ at[0], at[1], at[2], at[2] },
			    lp_rgb_mix(lit(c, tone[1]), RGB(0xffffff), 0.4f), 0.16f);
	}
	floor_boards(c, 0x8a5a34, 0xd9a66a);
}

static void sea_bed(struct canvas *c)
{
	struct lp_rgb top = lit(c, 0x58d0dc), low = lit(c, 0x0a3a6a);

	for (int y = 0; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float u = (float)x / c->unit, v = (float)y / (float)c->im->h;
			float ray = lp_fbm(c->seed + 201, (u - 0.5f) / (0.5f + v) * 7.0f, 0.3f, 3);
			float beam = lp_smooth(0.5f, 0.8f, ray) * (1.0f - v) * 0.55f;

			put(c, x, y, lp_rgb_mix(lp_rgb_mix(top, low, powf(v, 0.8f)), lit(c, 0xd8fff6), beam));
		}
	}
	for (int y = (int)c->b->horizon; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			struct spot s = spot_at(c, x, y);
			float net = lp_ridge(c->seed + 202, s.u * 3.0f, s.v * 3.0f, 2);
			struct lp_rgb sand = lp_rgb_mix(scale(sand_rule(c, &s), 0.75f + 0.4f * net * net), low, 0.42f);
			float edge = c->b->horizon + (lp_fbm(c->seed + 203, (float)x / c->unit * 3.0f, 1.0f, 3) - 0.3f) *
							   c->unit * 0.06f;

			lp_image_dab(c->im, x, y, sand, lp_unit(((float)y - edge) / (c->unit * 0.03f)));
		}
	}
}

static void sea_weed(struct canvas *c)
{
	for (int k = 0; k < 26; k++) {
		float x = chance(c, 0.0f, (float)c->im->w);
		float y = c->b->horizon + chance(c, 0.1f, 0.9f) * ((float)c->im->h - c->b->horizon);
		float len = c->unit * chance(c, 0.08f, 0.3f), bend = chance(c, 0.0f, 6.0f);
		struct lp_rgb colour = lp_rgb_mix(lit(c, 0x1f7a5a), lit(c, 0x8ac050), chance(c, 0.0f, 1.0f));

		for (float s = 0.0f; s < 1.0f; s += 0.02f) {
			float r = c->unit * 0.009f * (1.0f - s * 0.7f);

			canvas_disc(c, (float[]){ x + sinf(s * 5.0f + bend) * len * 0.13f, y - s * len, r, r * 1.4f },
				    scale(colour, 0.7f + 0.5f * s), 0.85f);
		}
	}
	for (int k = 0; k < 30; k++) {
		float x = chance(c, 0.0f, (float)c->im->w), y = chance(c, 0.0f, c->b->horizon);
		float r = c->unit * chance(c, 0.003f, 0.011f);

		canvas_disc(c, (float[]){ x, y, r, r }, RGB(0xdffcff), 0.35f);
		canvas_disc(c, (float[]){ x - r * 0.3f, y - r * 0.3f, r * 0.35f, r * 0.35f }, RGB(0xffffff), 0.8f);
	}
}

/* From the horizon down to the water, the picture upside down and dimmed. */
static void mirror_in_water(struct canvas *c, float share)
{
	int line = (int)c->b->horizon;

	for (int y = line; y < c->im->h; y++) {
		for (int x = 0; x < c->im->w; x++) {
			float d = (float)(y - line);
			float n = lp_fbm(c->seed + 211, (float)x / c->unit * 5.0f, d / c->unit * 30.0f, 3) - 0.5f;
			int from = line - 1 - (int)(d * 0.9f), at = x + (int)(n * d * 0.12f);

			if (from < 0 || at < 0 || at >= c->im->w)
				continue;
			const float *p = lp_image_at(c->im, at, from);

			lp_image_dab(c->im, x, y, (struct lp_rgb){ p[0], p[1], p[2] },
				     share * (1.0f - 0.5f * d / ((float)c->im->h - c->b->horizon)));
		}
	}
}

static void grass(struct canvas *c)
{
	fill(c, grass_rule);
	blades(c, c->b->horizon);
	if (c->scene->setting == LP_PLACE_MEADOW || c->scene->weather & LP_FLOWERS)
		flowers(c);
}

void ground_paint(struct canvas *c)
{
	switch (c->scene->setting) {
	case LP_PLACE_BEACH:
		fill(c, water_rule);
		shore(c, c->b->horizon + ((float)c->im->h - c->b->horizon) * 0.32f);
		break;
	case LP_PLACE_SEA:
		fill(c, water_rule);
		c->b->water = true;
		c->b->shore = (float)c->im->h;
		break;
	case LP_PLACE_LAKE:
		fill(c, water_rule);
		mirror_in_water(c, 0.6f);
		bank(c, c->b->horizon + ((float)c->im->h - c->b->horizon) * 0.66f);
		break;
	case LP_PLACE_DESERT:
		fill(c, sand_rule);
		break;
	case LP_PLACE_SNOW:
		fill(c, snow_rule);
		break;
	case LP_PLACE_MOON:
		fill(c, moon_rule);
		break;
	case LP_PLACE_CITY:
		fill(c, street_rule);
		break;
	case LP_PLACE_ROOM:
		room(c);
		break;
	case LP_PLACE_TABLE:
		table(c);
		break;
	case LP_PLACE_UNDERWATER:
		sea_bed(c);
		sea_weed(c);
		break;
	case LP_PLACE_SKY:
	case LP_PLACE_SPACE:
		break;
	case LP_PLACE_ANY:
	case LP_PLACE_MEADOW:
	case LP_PLACE_FOREST:
	case LP_PLACE_MOUNTAINS:
		grass(c);
		break;
	}
}
