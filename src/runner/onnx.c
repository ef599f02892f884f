#include "onnx.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#define TABLE_VERSION 17
#define FLOATS 1		/* ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT */
#define LOG_FATAL 4
#define ALL_OPTIMISATIONS 99
#define ARENA 1			/* OrtArenaAllocator */
#define PLACE_DEFAULT 0		/* OrtMemTypeDefault */
#define OUTPUT_FLOATS ((size_t)64 << 20)	/* of one answer */

/* The handles are opaque to us; a status is NULL when all is well. */
struct ort_status;
struct ort_env;
struct ort_session;
struct ort_options;
struct ort_memory;
struct ort_value;
struct ort_shape;

/* The functions used: name, place in the table, result, arguments. */
#define CALLS(X)                                                                                                 \
	X(error_message, 2, const char *, (const struct ort_status *status))                                     \
	X(create_env, 3, struct ort_status *, (int level, const char *name, struct ort_env **out))               \
	X(create_session, 8, struct ort_status *, (const struct ort_env *env, const void *at, size_t len,        \
						   const struct ort_options *options, struct ort_session **out)) \
	X(run, 9, struct ort_status *, (struct ort_session *session, const void *options,                        \
					const char *const *in_names, const struct ort_value *const *in,          \
					size_t n_in, const char *const *out_names, size_t n_out,                 \
					struct ort_value **out))                                                 \
	X(create_options, 10, struct ort_status *, (struct ort_options **out))                                   \
	X(disable_mem_pattern, 17, struct ort_status *, (struct ort_options *options))                           \
	X(set_optimisation, 23, struct ort_status *, (struct ort_options *options, int level))                   \
	X(set_intra_threads, 24, struct ort_status *, (struct ort_options *options, int n))                      \
	X(set_inter_threads, 25, struct ort_status *, (struct ort_options *options, int n))                      \
	X(create_tensor, 49, struct ort_status *, (const struct ort_memory *memory, void *at, size_t bytes,      \
						   const int64_t *dims, size_t n_dims, int kind,                 \
						   struct ort_value **out))                                      \
	X(tensor_data, 51, struct ort_status *, (struct ort_value *value, void **out))                           \
	X(tensor_kind, 60, struct ort_status *, (const struct ort_shape *shape, int *out))                       \
	X(dims_count, 61, struct ort_status *, (const struct ort_shape *shape, size_t *out))                     \
	X(dims, 62, struct ort_status *, (const struct ort_shape *shape, int64_t *to, size_t n))                 \
	X(tensor_shape, 65, struct ort_status *, (const struct ort_value *value, struct ort_shape **out))        \
	X(create_memory, 69, struct ort_status *, (int allocator, int kind, struct ort_memory **out))            \
	X(release_env, 92, void, (struct ort_env *env))                                                          \
	X(release_status, 93, void, (struct ort_status *status))                                                 \
	X(release_memory, 94, void, (struct ort_memory *memory))                                                 \
	X(release_session, 95, void, (struct ort_session *session))                                              \
	X(release_value, 96, void, (struct ort_value *value))                                                    \
	X(release_shape, 99, void, (struct ort_shape *shape))                                                    \
	X(release_options, 100, void, (struct ort_options *options))                                             \
	X(add_entry, 130, struct ort_status *, (struct ort_options *options, const char *key, const char *value))

typedef void (*any_fn)(void);

struct calls {
#define X(name, place, result, arguments) result(*name) arguments;
	CALLS(X)
#undef X
};

struct ort_base {
	const any_fn *(*table)(uint32_t version);
	const char *(*version)(void);
};

struct lp_onnx {
	void *library;
	struct calls call;
	struct ort_env *env;
	char version[24];
	struct lp_crew *crew;		/* NULL: networks have one thread */
};

struct lp_onnx_net {
	struct lp_onnx *onnx;
	struct ort_session *alone, *shared;	/* of one thread, and of several or NULL: their number is fixed */
	struct ort_memory *memory;
};

/* Each place of the table has the type that its function has: the bytes of the pointer are taken over. */
static void bind_calls(struct calls *to, const any_fn *table)
{
#define X(name, place, result, arguments) memcpy(&to->name, &table[place], sizeof to->name);
	CALLS(X)
#undef X
}

static enum lp_code check(const struct lp_onnx *o, struct ort_status *status, struct lp_err *e)
{
	if (!status)
		return LP_OK;
	lp_fail(e, LP_RUNNER, "ONNX Runtime: %s", o->call.error_message(status));
	o->call.release_status(status);
	return LP_RUNNER;
}

static void close_library(void *arg)
{
	struct lp_onnx *o = arg;

	o->call.release_env(o->env);
	/* The library stays loaded: its threads and C++ statics do not survive an unload. */
}

/* dlsym's result is an object pointer: through memory, as POSIX asks, it becomes a function. */
static const struct ort_base *base_of(void *library)
{
	const struct ort_base *(*get)(void) = NULL;
	void *symbol = dlsym(library, "OrtGetApiBase");

	memcpy(&get, &symbol, sizeof get);
	return symbol ? get() : NULL;
}

enum lp_code lp_onnx_open(struct lp_scope *scope, struct lp_onnx **out, const char *path, struct lp_err *e)
{
	struct lp_onnx *o = lp_new(scope, struct lp_onnx);

	*out = NULL;
	o->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!o->library)
		return lp_fail(e, LP_UNAVAILABLE, "ONNX Runtime cannot be loaded: %s", dlerror());
	const struct ort_base *base = base_of(o->library);

	const any_fn *table = base ? base->table(TABLE_VERSION) : NULL;

	if (!table)
		return lp_fail(e, LP_UNAVAILABLE, "this ONNX Runtime has no interface of version %d", TABLE_VERSION);
	bind_calls(&o->call, table);
	lp_span_copy(o->version, sizeof o->version, lp_span(base->version()));
	enum lp_code code = check(o, o->call.create_env(LOG_FATAL, "lpd-runner", &o->env), e);

	if (code != LP_OK)
		return code;
	lp_defer(scope, close_library, o);
	*out = o;
	return LP_OK;
}

void lp_onnx_share(struct lp_onnx *onnx, struct lp_crew *crew)
{
	onnx->crew = crew;
}

const char *lp_onnx_version(const struct lp_onnx *onnx)
{
	return onnx->version;
}

/* Whoever waits sleeps: spinning threads would starve the node on a busy machine. */
static enum lp_code set_options(const struct lp_onnx *o, struct ort_options *options, int threads, struct lp_err *e)
{
	enum lp_code code = check(o, o->call.set_intra_threads(options, threads), e);

	if (code == LP_OK)
		code = check(o, o->call.add_entry(options, "session.intra_op.allow_spinning", "0"), e);
	if (code == LP_OK)
		code = check(o, o->call.set_inter_threads(options, 1), e);
	if (code == LP_OK)
		code = check(o, o->call.set_optimisation(options, ALL_OPTIMISATIONS), e);
	/* Pictures come in many sizes: a plan and an arena for each would keep growing. */
	if (code == LP_OK)
		code = check(o, o->call.disable_mem_pattern(options), e);
	return code;
}

static void close_net(void *arg)
{
	struct lp_onnx_net *net = arg;

	if (net->alone)
		net->onnx->call.release_session(net->alone);
	if (net->shared)
		net->onnx->call.release_session(net->shared);
	if (net->memory)
		net->onnx->call.release_memory(net->memory);
}

static enum lp_code open_session(struct lp_onnx_net *net, struct ort_session **out, struct lp_span model, int threads,
				 struct lp_err *e)
{
	const struct lp_onnx *o = net->onnx;
	struct ort_options *options = NULL;
	enum lp_code code = check(o, o->call.create_options(&options), e);

	if (code == LP_OK)
		code = set_options(o, options, threads, e);
	if (code == LP_OK)
		code = check(o, o->call.create_session(o->env, model.at, model.len, options, out), e);
	if (options)
		o->call.release_options(options);
	return code;
}

enum lp_code lp_onnx_load(struct lp_scope *scope, struct lp_onnx_net **out, struct lp_onnx *onnx, struct lp_span model,
			  struct lp_err *e)
{
	struct lp_onnx_net *net = lp_new(scope, struct lp_onnx_net);
	int threads = onnx->crew ? lp_crew_threads(onnx->crew) : 1;

	*out = NULL;
	net->onnx = onnx;
	lp_defer(scope, close_net, net);
	enum lp_code code = open_session(net, &net->alone, model, 1, e);

	if (code == LP_OK && threads > 1)
		code = open_session(net, &net->shared, model, threads, e);
	if (code == LP_OK)
		code = check(onnx, onnx->call.create_memory(ARENA, PLACE_DEFAULT, &net->memory), e);
	if (code == LP_OK)
		*out = net;
	return code;
}

size_t lp_tensor_count(const struct lp_tensor *t)
{
	size_t n = 1;

	for (int i = 0; i < t->n_dims; i++)
		n *= (size_t)t->dims[i];
	return n;
}

static enum lp_code wrap(struct lp_onnx_net *net, const struct lp_tensor *t, struct ort_value **out, struct lp_err *e)
{
	return check(net->onnx, net->onnx->call.create_tensor(net->memory, t->v, lp_tensor_count(t) * sizeof(float),
							      t->dims, (size_t)t->n_dims, FLOATS, out), e);
}

static enum lp_code read_shape(const struct lp_onnx *o, struct ort_shape *shape, struct lp_tensor *t, struct lp_err *e)
{
	size_t n = 0, count = 1;
	int kind = 0;
	enum lp_code code = check(o, o->call.tensor_kind(shape, &kind), e);

	if (code == LP_OK)
		code = check(o, o->call.dims_count(shape, &n), e);
	if (code == LP_OK && (kind != FLOATS || n > LP_TENSOR_DIMS))
		return lp_fail(e, LP_RUNNER, "the network's answer is of an unknown kind");
	if (code == LP_OK)
		code = check(o, o->call.dims(shape, t->dims, n), e);
	t->n_dims = (int)n;
	for (size_t i = 0; i < n && code == LP_OK; i++) {
		if (t->dims[i] < 1 || (size_t)t->dims[i] > OUTPUT_FLOATS / count)
			return lp_fail(e, LP_RUNNER, "the network's answer has an impossible size");
		count *= (size_t)t->dims[i];
	}
	return code;
}

static enum lp_code unwrap(struct lp_scope *scope, struct lp_onnx_net *net, struct ort_value *value,
			   struct lp_tensor *t, struct lp_err *e)
{
	const struct lp_onnx *o = net->onnx;
	struct ort_shape *shape = NULL;
	void *at = NULL;
	enum lp_code code = check(o, o->call.tensor_shape(value, &shape), e);

	if (code == LP_OK)
		code = read_shape(o, shape, t, e);
	if (code == LP_OK)
		code = check(o, o->call.tensor_data(value, &at), e);
	if (code == LP_OK) {
		size_t n = lp_tensor_count(t);

		t->v = lp_new_array(scope, float, n);
		memcpy(t->v, at, n * sizeof(float));
	}
	if (shape)
		o->call.release_shape(shape);
	return code;
}

enum lp_code lp_onnx_run(struct lp_scope *scope, struct lp_onnx_net *net, struct lp_onnx_io *io, struct lp_err *e)
{
	const struct lp_onnx *o = net->onnx;
	struct ort_value *in[2] = { NULL, NULL }, *out = NULL;
	const char *names[2] = { NULL, NULL };
	enum lp_code code = LP_OK;

	lp_assert(io->n_in >= 1 && io->n_in <= 2);
	for (int i = 0; i < io->n_in && code == LP_OK; i++) {
		names[i] = io->in[i].name;
		code = wrap(net, &io->in[i], &in[i], e);
	}
	if (code == LP_OK) {
		const struct ort_value *const given[2] = { in[0], in[1] };

		struct ort_session *session = net->shared && lp_crew_may_work(o->crew) > 1 ? net->shared : net->alone;

		code = check(o, o->call.run(session, NULL, names, given, (size_t)io->n_in, &io->out.name, 1, &out), e);
	}
	if (code == LP_OK)
		code = unwrap(scope, net, out, &io->out, e);
	struct ort_value *all[3] = { out, in[0], in[1] };

	for (int i = 0; i < 3; i++) {
		if (all[i])
			o->call.release_value(all[i]);
	}
	return code;
}
