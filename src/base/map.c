#include <lpd/base/map.h>

#include <stdint.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>
#include <lpd/base/random.h>

/* Rows stand in the order in which they were put; the index finds them by hash.  A row that is taken out
 * leaves a hole (value NULL) and a GRAVE in the index until the next rebuild closes both.  The index is
 * twice as long as the rows, so at least half of it is always FREE and every search ends. */
struct row {
	uint64_t hash;
	char *key;
	size_t len;
	void *value;
};

enum { FREE = 0 };
#define GRAVE UINT32_MAX

struct lp_map {
	uint64_t secret[2];
	struct row *rows;
	uint32_t *index;	/* row number + 1 */
	size_t count;		/* rows with a value */
	size_t used;		/* rows and holes */
	size_t cap;		/* a power of two; 0: nothing was ever put */
};

static uint64_t rotate(uint64_t x, int n)
{
	return (x << n) | (x >> (64 - n));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash with one round a word and three at the end (Aumasson and Bernstein), on a little-endian machine. */
static uint64_t sip_hash(const uint64_t secret[2], struct lp_span key)
{
	uint64_t v[4] = {
		secret[0] ^ 0x736f6d6570736575u,
		secret[1] ^ 0x646f72616e646f6du,
		secret[0] ^ 0x6c7967656e657261u,
		secret[1] ^ 0x7465646279746573u,
	};
	size_t whole = key.len & ~(size_t)7;
	uint64_t word;

	for (size_t i = 0; i < whole; i += 8) {
		memcpy(&word, key.at + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	if (key.len > whole)
		memcpy(&word, key.at + whole, key.len - whole);
	word |= (uint64_t)key.len << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct lp_map *lp_map_new(void)
{
	return lp_mem_zeroed(1, sizeof(struct lp_map));
}

void lp_map_free(struct lp_map **map)
{
	if (!*map)
		return;
	for (size_t i = 0; i < (*map)->used; i++)
		lp_mem_free((*map)->rows[i].key);
	lp_mem_free((*map)->rows);
	lp_mem_free((*map)->index);
	lp_mem_free(*map);
	*map = NULL;
}

void lp_map_free_all(struct lp_map **map, void (*free_value)(void *value))
{
	struct lp_span key;
	size_t at = 0;
	void *value;

	if (!*map)
		return;
	while (lp_map_next(*map, &at, &key, &value))
		free_value(value);
	lp_map_free(map);
}

size_t lp_map_count(const struct lp_map *map)
{
	return map->count;
}

/* The place in the index that holds the key, or SIZE_MAX. */
static size_t place_of(const struct lp_map *map, struct lp_span key, uint64_t hash)
{
	size_t mask = 2 * map->cap - 1;

	for (size_t at = hash & mask; map->index[at] != FREE; at = (at + 1) & mask) {
		if (map->index[at] == GRAVE)
			continue;
		const struct row *row = &map->rows[map->index[at] - 1];
		if (row->hash == hash && lp_span_eq(lp_span_of(row->key, row->len), key))
			return at;
	}
	return SIZE_MAX;
}

/* Every row gets a new place, the holes close, and there is room for as many rows again. */
static void rebuild(struct lp_map *map)
{
	size_t cap = 8;

	while (cap < 2 * map->count)
		cap *= 2;
	lp_assert(cap < UINT32_MAX / 4);
	struct row *rows = lp_mem_get(cap * sizeof(*rows));
	uint32_t *index = lp_mem_zeroed(2 * cap, sizeof(*index));
	size_t used = 0;

	for (size_t i = 0; i < map->used; i++) {
		if (!map->rows[i].value)
			continue;
		size_t at = map->rows[i].hash & (2 * cap - 1);
		while (index[at] != FREE)
			at = (at + 1) & (2 * cap - 1);
		rows[used++] = map->rows[i];
		index[at] = (uint32_t)used;
	}
	lp_mem_free(map->rows);
	lp_mem_free(map->index);
	map->rows = rows;
	map->index = index;
	map->used = used;
	map->cap = cap;
}

void *lp_map_find(const struct lp_map *map, struct lp_span key)
{
	if (map->count == 0)
		return NULL;
	size_t at = place_of(map, key, sip_hash(map->secret, key));

	return at == SIZE_MAX ? NULL : map->rows[map->index[at] - 1].value;
}

void *lp_map_put(struct lp_map *map, struct lp_span key, void *value)
{
	lp_assert(value);
	/* The key of the hash is drawn with the first row: many maps stay empty. */
	if (map->cap == 0)
		lp_random(map->secret, sizeof(map->secret));
	uint64_t hash = sip_hash(map->secret, key);
	size_t at = map->count ? place_of(map, key, hash) : SIZE_MAX;

	if (at != SIZE_MAX) {
		struct row *row = &map->rows[map->index[at] - 1];
		void *before = row->value;
		row->value = value;
		return before;
	}
	if (map->used == map->cap)
		rebuild(map);
	at = hash & (2 * map->cap - 1);
	while (map->index[at] != FREE)
		at = (at + 1) & (2 * map->cap - 1);

	char *copy = lp_mem_get(key.len);
	if (key.len > 0)
		memcpy(copy, key.at, key.len);
	map->rows[map->used++] = (struct row){ hash, copy, key.len, value };
	map->index[at] = (uint32_t)map->used;
	map->count++;
	return NULL;
}

void *lp_map_take(struct lp_map *map, struct lp_span key)
{
	if (map->count == 0)
		return NULL;
	size_t at = place_of(map, key, sip_hash(map->secret, key));
	if (at == SIZE_MAX)
		return NULL;
	struct row *row = &map->rows[map->index[at] - 1];
	void *value = row->value;

	/* key may be the row's own, borrowed from lp_map_next: it is not read after this. */
	lp_mem_free(row->key);
	*row = (struct row){ 0 };
	map->index[at] = GRAVE;
	map->count--;
	return value;
}

bool lp_map_next(const struct lp_map *map, size_t *at, struct lp_span *key, void **value)
{
	while (*at < map->used) {
		const struct row *row = &map->rows[(*at)++];
		if (!row->value)
			continue;
		*key = lp_span_of(row->key, row->len);
		*value = row->value;
		return true;
	}
	return false;
}
