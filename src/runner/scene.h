/* runner/scene - what a prompt asks to see: a place, an hour, a weather, things, a manner of painting.
 *
 * Read with word tables of our own (lexicon.def); pure: the same prompt and seed give the same plan. */
#ifndef LPD_RUNNER_SCENE_H
#define LPD_RUNNER_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include <lpd/base/str.h>

#define LP_SCENE_THINGS 6
#define LP_SCENE_DRAW 64

enum lp_setting {
	LP_PLACE_ANY,		/* nothing was said: the things decide */
	LP_PLACE_MEADOW, LP_PLACE_BEACH, LP_PLACE_SEA, LP_PLACE_LAKE, LP_PLACE_FOREST, LP_PLACE_MOUNTAINS,
	LP_PLACE_CITY, LP_PLACE_DESERT, LP_PLACE_SNOW, LP_PLACE_SPACE, LP_PLACE_UNDERWATER, LP_PLACE_ROOM,
	LP_PLACE_TABLE, LP_PLACE_SKY, LP_PLACE_MOON,
};

enum lp_hour { LP_HOUR_ANY, LP_HOUR_DAY, LP_HOUR_SUNSET, LP_HOUR_NIGHT };

/* Bits: several at once. */
enum lp_weather {
	LP_SKY_CLOUDS = 1, LP_SKY_RAIN = 2, LP_SKY_SNOW = 4, LP_SKY_FOG = 8, LP_SKY_RAINBOW = 16,
	LP_SKY_LIGHTNING = 32, LP_SKY_FIREWORKS = 64, LP_SKY_MOON = 128, LP_SKY_SUN = 256, LP_SKY_STARS = 512,
	LP_SKY_AURORA = 1024, LP_FAR_MOUNTAINS = 2048, LP_FAR_TREES = 4096, LP_FAR_CITY = 8192,
	LP_SEASON_AUTUMN = 16384, LP_SEASON_SPRING = 32768, LP_FLOWERS = 65536, LP_SKY_CLEAR = 131072,
};

enum lp_thing_kind {
	LP_THING_ANIMAL, LP_THING_PERSON, LP_THING_BIRD, LP_THING_FLYER, LP_THING_SWIMMER, LP_THING_FLOATER,
	LP_THING_PLANT, LP_THING_TREE, LP_THING_BUILDING, LP_THING_VEHICLE, LP_THING_FOOD, LP_THING_OBJECT,
	LP_THING_FURNITURE, LP_THING_SPACE,
};

enum lp_colour {
	LP_COLOUR_NONE, LP_COLOUR_RED, LP_COLOUR_ORANGE, LP_COLOUR_YELLOW, LP_COLOUR_GREEN, LP_COLOUR_BLUE,
	LP_COLOUR_PURPLE, LP_COLOUR_PINK, LP_COLOUR_BROWN, LP_COLOUR_BLACK, LP_COLOUR_WHITE, LP_COLOUR_GRAY,
};

struct lp_thing {
	char draw[LP_SCENE_DRAW];	/* what the flow model is asked for */
	enum lp_thing_kind kind;
	enum lp_colour colour;
	float size;			/* of nature, on a scale of its own: 1 a cat, 2 a man, 5 a house */
	bool small, large;		/* the prompt said so */
};

enum lp_manner {
	LP_MANNER_AUTO, LP_MANNER_PLAIN, LP_MANNER_OIL, LP_MANNER_WATERCOLOUR, LP_MANNER_SKETCH, LP_MANNER_IMPASTO,
	LP_MANNER_CUBIST, LP_MANNER_MOSAIC, LP_MANNER_INK, LP_MANNER_PASTEL, LP_MANNER_POP,
};

struct lp_scene {
	enum lp_setting setting;
	enum lp_hour hour;
	unsigned weather;		/* enum lp_weather, together */
	struct lp_thing things[LP_SCENE_THINGS];	/* the first is the subject */
	int n_things;
	enum lp_manner manner;
	int words, understood;		/* content words of the prompt */
};

/* negative: what must not be there; things, weather and manners named in it are left out. */
void lp_scene_read(struct lp_scene *scene, struct lp_span prompt, struct lp_span negative);

#endif
