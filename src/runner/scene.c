#include "scene.h"

#include <stdio.h>
#include <string.h>

#define WORDS 64		/* of a prompt; what follows is not read */
#define LETTERS 24

enum what { NOTHING, THING, PLACE, HOUR, WEATHER, MANNER, COUNT, COLOUR, QUIET };

struct entry {
	const char *words;
	enum what what;
	int value;
	float size;
	const char *draw;
};

static const struct entry entries[] = {
#define THING(words, kind, size, draw) { words, THING, LP_THING_##kind, size, draw },
#define PLACE(words, setting) { words, PLACE, LP_PLACE_##setting, 0.0f, NULL },
#define HOUR(words, hour) { words, HOUR, LP_HOUR_##hour, 0.0f, NULL },
#define WEATHER(words, bits) { words, WEATHER, bits, 0.0f, NULL },
#define MANNER(words, manner) { words, MANNER, LP_MANNER_##manner, 0.0f, NULL },
#define COUNT(words, n) { words, COUNT, n, 0.0f, NULL },
#define COLOUR(words, colour) { words, COLOUR, LP_COLOUR_##colour, 0.0f, NULL },
#define QUIET(words) { words, QUIET, 0, 0.0f, NULL },
#include "lexicon.def"
};

struct text {
	char words[WORDS][LETTERS];
	int n;
};

/* What was said just before a noun. */
struct before {
	int count;
	enum lp_colour colour;
	bool small, large;
};

/* An empty word stands for a comma or another break. */
static void split(struct text *text, struct lp_span prompt)
{
	size_t letters = 0;

	text->n = 0;
	for (size_t i = 0; i < prompt.len && text->n < WORDS - 2; i++) {
		char c = prompt.at[i];

		c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
		bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (c == '\'')
			continue;
		if (letter && letters < LETTERS - 1) {
			text->words[text->n][letters++] = c;
		} else if (!letter && letters) {
			text->words[text->n++][letters] = '\0';
			letters = 0;
		}
		if (c == ',' || c == '.' || c == ';' || c == '|' || c == '\n')
			text->words[text->n++][0] = '\0';
	}
	if (letters)
		text->words[text->n++][letters] = '\0';
}

/* Forms of one that many may have; *plural tells which was taken. */
static const struct entry *find_phrase(const char *phrase)
{
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
		if (strcmp(entries[i].words, phrase) == 0)
			return &entries[i];
	}
	return NULL;
}

static const struct entry *find_irregular(const char *phrase)
{
	static const char *const pairs[][2] = {
		{ "men", "man" }, { "women", "woman" }, { "children", "child" }, { "people", "person" },
		{ "mice", "mouse" }, { "geese", "goose" }, { "wolves", "wolf" }, { "loaves", "bread" },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		if (strcmp(phrase, pairs[i][0]) == 0)
			return find_phrase(pairs[i][1]);
	}
	return NULL;
}

static const struct entry *find_plural(const char *phrase)
{
	char one[4 * LETTERS];
	size_t n = strlen(phrase);
	const struct entry *hit = find_irregular(phrase);

	if (hit || n < 4 || phrase[n - 1] != 's')
		return hit;
	memcpy(one, phrase, n);
	one[n - 1] = '\0';
	hit = find_phrase(one);
	if (!hit && phrase[n - 2] == 'e') {
		one[n - 2] = '\0';
		hit = find_phrase(one);
	}
	if (!hit && n > 4 && strcmp(phrase + n - 3, "ies") == 0) {
		one[n - 3] = 'y';
		one[n - 2] = '\0';
		hit = find_phrase(one);
	}
	return hit;
}

/* The longest phrase of at most four words that begins at i; *len words long. */
static const struct entry *look_up(const struct text *text, int i, int *len, bool *plural)
{
	for (int n = text->n - i < 4 ? text->n - i : 4; n > 0; n--) {
		char phrase[4 * LETTERS] = "";
		size_t at = 0;
		bool whole = true;

		for (int k = 0; k < n; k++) {
			whole = whole && text->words[i + k][0];
			at += (size_t)snprintf(phrase + at, sizeof phrase - at, "%s%s", k ? " " : "",
					       text->words[i + k]);
		}
		const struct entry *hit = whole ? find_phrase(phrase) : NULL;

		*plural = !hit;
		if (!hit && whole)
			hit = find_plural(phrase);
		*len = n;
		if (hit)
			return hit;
	}
	*len = 1;
	*plural = false;
	return NULL;
}

static void add_thing(struct lp_scene *scene, const struct entry *hit, const struct before *before, bool plural)
{
	int count = before->count ? before->count : !plural ? 1 : hit->size < 1.2f ? 3 : 2;

	for (int i = 0; i < count && scene->n_things < LP_SCENE_THINGS; i++) {
		struct lp_thing *thing = &scene->things[scene->n_things++];

		*thing = (struct lp_thing){ .kind = (enum lp_thing_kind)hit->value, .colour = before->colour,
					    .size = hit->size, .small = before->small, .large = before->large };
		lp_span_copy(thing->draw, sizeof thing->draw, lp_span(hit->draw));
	}
}

static bool size_word(struct before *before, const char *word)
{
	static const char *const small[] = { "small", "tiny", "little", "miniature" };
	static const char *const large[] = { "big", "large", "giant", "huge", "enormous", "gigantic" };

	for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
		before->small |= strcmp(word, small[i]) == 0;
	for (size_t i = 0; i < sizeof large / sizeof large[0]; i++)
		before->large |= strcmp(word, large[i]) == 0;
	return before->small || before->large;
}

/* A noun that the tables do not know: it ends its phrase, and does not look like a verb or an adverb. */
static bool unknown_noun(const struct text *text, int i)
{
	const char *word = text->words[i];
	int len;
	bool plural;
	size_t n = strlen(word);

	if (n < 3 || (n > 4 && (strcmp(word + n - 3, "ing") == 0 || strcmp(word + n - 2, "ed") == 0 ||
				strcmp(word + n - 2, "ly") == 0)))
		return false;
	if (i + 1 == text->n || !text->words[i + 1][0])
		return true;
	const struct entry *next = look_up(text, i + 1, &len, &plural);

	return next && next->what == QUIET;
}

static void take(struct lp_scene *scene, const struct entry *hit, struct before *before, bool plural)
{
	switch (hit->what) {
	case THING:
		add_thing(scene, hit, before, plural);
		*before = (struct before){ .count = 0 };
		break;
	case PLACE:
		if (scene->setting == LP_PLACE_ANY || hit->value > LP_PLACE_MOUNTAINS)
			scene->setting = (enum lp_setting)hit->value;
		if (hit->value == LP_PLACE_MOUNTAINS)
			scene->weather |= LP_FAR_MOUNTAINS;
		if (hit->value == LP_PLACE_CITY)
			scene->weather |= LP_FAR_CITY;
		if (hit->value == LP_PLACE_FOREST)
			scene->weather |= LP_FAR_TREES;
		break;
	case HOUR:
		scene->hour = (enum lp_hour)hit->value;
		break;
	case WEATHER:
		scene->weather |= (unsigned)hit->value;
		break;
	case MANNER:
		scene->manner = (enum lp_manner)hit->value;
		break;
	case COUNT:
		before->count = hit->value;
		break;
	case COLOUR:
		before->colour = (enum lp_colour)hit->value;
		break;
	case QUIET:
	case NOTHING:
		break;
	}
}

static void read_words(struct lp_scene *scene, const struct text *text)
{
	struct before before = { .count = 0 };

	for (int i = 0; i < text->n;) {
		int len;
		bool plural;
		const struct entry *hit = look_up(text, i, &len, &plural);

		if (!text->words[i][0]) {
			before = (struct before){ .count = 0 };
		} else if (hit) {
			scene->words += hit->what != QUIET;
			scene->understood += hit->what != QUIET;
			take(scene, hit, &before, plural);
		} else if (!size_word(&before, text->words[i])) {
			struct entry guess = { .value = LP_THING_OBJECT, .size = 1.2f, .draw = text->words[i] };

			scene->words++;
			if (unknown_noun(text, i))
				add_thing(scene, &guess, &before, false);
		}
		i += len;
	}
	/* "an orange" is a fruit when it is the colour of nothing. */
	if (before.colour == LP_COLOUR_ORANGE && scene->n_things == 0) {
		struct entry orange = { .value = LP_THING_FOOD, .size = 0.7f, .draw = "tangerine" };

		before.colour = LP_COLOUR_NONE;
		add_thing(scene, &orange, &before, false);
	}
}

/* What is named in the negative prompt is taken out. */
static void leave_out(struct lp_scene *scene, const struct lp_scene *not)
{
	int kept = 0;

	scene->weather &= ~not->weather;
	if (not->setting != LP_PLACE_ANY && scene->setting == not->setting)
		scene->setting = LP_PLACE_ANY;
	if (not->hour != LP_HOUR_ANY && scene->hour == not->hour)
		scene->hour = LP_HOUR_ANY;
	if (not->manner != LP_MANNER_AUTO && scene->manner == not->manner)
		scene->manner = LP_MANNER_AUTO;
	for (int i = 0; i < scene->n_things; i++) {
		bool named = false;

		for (int k = 0; k < not->n_things; k++)
			named = named || strcmp(scene->things[i].draw, not->things[k].draw) == 0;
		if (!named)
			scene->things[kept++] = scene->things[i];
	}
	scene->n_things = kept;
}

static enum lp_setting setting_of(const struct lp_thing *thing)
{
	switch (thing->kind) {
	case LP_THING_SWIMMER:
		return LP_PLACE_UNDERWATER;
	case LP_THING_FLOATER:
		return LP_PLACE_SEA;
	case LP_THING_SPACE:
		return LP_PLACE_SPACE;
	case LP_THING_FOOD:
		return LP_PLACE_TABLE;
	case LP_THING_FURNITURE:
		return LP_PLACE_ROOM;
	case LP_THING_VEHICLE:
		return LP_PLACE_CITY;
	case LP_THING_OBJECT:
		return strcmp(thing->draw, "fire") == 0 ? LP_PLACE_FOREST : LP_PLACE_TABLE;
	case LP_THING_ANIMAL:
	case LP_THING_PERSON:
	case LP_THING_BIRD:
	case LP_THING_FLYER:
	case LP_THING_PLANT:
	case LP_THING_TREE:
	case LP_THING_BUILDING:
		break;
	}
	return LP_PLACE_MEADOW;
}

static const struct {
	const char *draw;
	enum lp_setting setting;
} homes[] = {
	{ "camel", LP_PLACE_DESERT }, { "cactus", LP_PLACE_DESERT }, { "scorpion", LP_PLACE_DESERT },
	{ "penguin", LP_PLACE_SNOW }, { "polar bear", LP_PLACE_SNOW }, { "snowman", LP_PLACE_SNOW },
	{ "skier", LP_PLACE_SNOW }, { "snowboarder", LP_PLACE_SNOW }, { "santa", LP_PLACE_SNOW },
	{ "crab", LP_PLACE_BEACH }, { "beach umbrella", LP_PLACE_BEACH }, { "palm", LP_PLACE_BEACH },
	{ "shell", LP_PLACE_BEACH }, { "bear", LP_PLACE_FOREST }, { "deer", LP_PLACE_FOREST },
	{ "fox", LP_PLACE_FOREST }, { "wolf", LP_PLACE_FOREST }, { "owl", LP_PLACE_FOREST },
	{ "squirrel", LP_PLACE_FOREST }, { "mushroom", LP_PLACE_FOREST }, { "monkey", LP_PLACE_FOREST },
	{ "airplane", LP_PLACE_SKY }, { "balloon", LP_PLACE_SKY }, { "climber", LP_PLACE_MOUNTAINS },
	{ "office building", LP_PLACE_CITY }, { "swan", LP_PLACE_LAKE }, { "duck", LP_PLACE_LAKE },
	{ "laptop", LP_PLACE_TABLE }, { "alien", LP_PLACE_MOON }, { "locomotive", LP_PLACE_MEADOW },
	{ "tractor", LP_PLACE_MEADOW }, { "bicycle", LP_PLACE_MEADOW }, { "anchor", LP_PLACE_BEACH },
};

/* What nobody said: the place by the subject, the hour by place and weather. */
static void settle(struct lp_scene *scene)
{
	if (scene->setting == LP_PLACE_ANY && scene->n_things) {
		scene->setting = setting_of(&scene->things[0]);
		for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
			if (strcmp(scene->things[0].draw, homes[i].draw) == 0)
				scene->setting = homes[i].setting;
		}
		if (scene->weather & LP_SKY_SNOW)
			scene->setting = LP_PLACE_SNOW;
	}
	if (scene->setting == LP_PLACE_ANY)
		scene->setting = scene->weather & LP_SKY_SNOW ? LP_PLACE_SNOW : LP_PLACE_MEADOW;
	if (scene->hour == LP_HOUR_ANY &&
	    scene->weather & (LP_SKY_MOON | LP_SKY_STARS | LP_SKY_FIREWORKS | LP_SKY_AURORA))
		scene->hour = LP_HOUR_NIGHT;
	if (scene->hour == LP_HOUR_ANY)
		scene->hour = LP_HOUR_DAY;
}

void lp_scene_read(struct lp_scene *scene, struct lp_span prompt, struct lp_span negative)
{
	struct lp_scene not = { .setting = LP_PLACE_ANY };
	struct text text;

	*scene = (struct lp_scene){ .setting = LP_PLACE_ANY };
	split(&text, prompt);
	read_words(scene, &text);
	split(&text, negative);
	read_words(&not, &text);
	leave_out(scene, &not);
	settle(scene);
}
