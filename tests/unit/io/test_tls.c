/* Certificates and contexts: what is made, what is refused, what a client is offered. */
#include "peer.h"

#include <sys/stat.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <lpd/io/file.h>

#include "io/port/tls_ctx.h"
#include "temp_dir.h"

struct fixture {
	struct real_loop r;
	struct temp_dir dir;
	char cert[100], key[100];
	struct lp_tls_server *tls;
	struct lp_err e;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	real_loop_open(&f->r);
	temp_dir_make(&f->dir);
	snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->dir.path);
	snprintf(f->key, sizeof(f->key), "%s/key.pem", f->dir.path);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	lp_scope_close(&f->r.scope);
	temp_dir_remove(&f->dir);
	free(f);
	return 0;
}

static enum lp_code open_tls(struct fixture *f, const char *host)
{
	return lp_tls_server_open(f->r.scope, &f->tls, f->cert, f->key, lp_span(host), &f->e);
}

static X509 *read_cert(const char *path)
{
	FILE *file = fopen(path, "r");
	X509 *cert;

	assert_non_null(file);
	cert = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(cert);
	return cert;
}

static struct lp_span read_all(struct fixture *f, const char *path)
{
	struct lp_span all = { 0 };

	assert_int_equal(lp_file_read(f->r.scope, &all, path, 100000, &f->e), LP_OK);
	return all;
}

static void write_all(const char *path, struct lp_span bytes)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fwrite(bytes.at, 1, bytes.len, file);
	fclose(file);
}

static bool said(struct fixture *f, const char *what)
{
	if (strstr(f->e.words, what))
		return true;
	fprintf(stderr, "said: %s\n", f->e.words);
	return false;
}

/* ---- the pair that is made ---- */

static void a_missing_pair_is_made(void **state)
{
	struct fixture *f = *state;
	struct stat about;

	assert_int_equal(open_tls(f, "node.example.org"), LP_OK);
	assert_int_equal(stat(f->key, &about), 0);
	assert_int_equal(about.st_mode & 07777, 0600);
	X509 *cert = read_cert(f->cert);
	EVP_PKEY *key = X509_get0_pubkey(cert);
	char group[32] = "";
	EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
	assert_string_equal(group, "prime256v1");
	assert_int_equal(X509_verify(cert, key), 1);
	assert_int_equal(X509_check_host(cert, "node.example.org", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(cert, "other.example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0), 1);
	assert_true(X509_cmp_current_time(X509_get0_notBefore(cert)) < 0);
	time_t in_nine_years = lp_wall(f->r.loop) / LP_SEC + 9 * 365 * 86400L;
	assert_true(X509_cmp_time(X509_get0_notAfter(cert), &in_nine_years) > 0);
	BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	assert_in_range(BN_num_bits(serial), 100, 127);
	BN_free(serial);
	X509_free(cert);
}

static void an_address_goes_into_the_certificate_as_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "192.0.2.7"), LP_OK);
	X509 *cert = read_cert(f->cert);
	assert_int_equal(X509_check_ip_asc(cert, "192.0.2.7", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "192.0.2.8", 0), 0);
	X509_free(cert);
	unlink(f->cert);
	unlink(f->key);
	assert_int_equal(open_tls(f, "2001:db8::1"), LP_OK);
	cert = read_cert(f->cert);
	assert_int_equal(X509_check_ip_asc(cert, "2001:db8::1", 0), 1);
	X509_free(cert);
}

/* A host comes from the command line: it is a name, whatever it looks like. */
static void a_host_is_not_taken_apart(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "a,DNS:b"), LP_OK);
	X509 *cert = read_cert(f->cert);
	assert_int_equal(X509_check_host(cert, "b", 0, 0, NULL), 0);
	X509_free(cert);
}

static void an_existing_pair_is_used_and_never_overwritten(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	struct lp_span cert = read_all(f, f->cert), key = read_all(f, f->key);
	assert_int_equal(open_tls(f, "two.example"), LP_OK);
	assert_true(lp_span_eq(cert, read_all(f, f->cert)));
	assert_true(lp_span_eq(key, read_all(f, f->key)));
}

static void one_file_without_the_other_is_refused_and_nothing_written(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	unlink(f->cert);
	assert_int_equal(open_tls(f, "one.example"), LP_CONFIG);
	assert_true(said(f, "key.pem is there but "));
	assert_int_equal(access(f->cert, F_OK), -1);
	unlink(f->key);
	write_all(f->cert, LP_SPAN(""));
	assert_int_equal(open_tls(f, "one.example"), LP_CONFIG);
	assert_true(said(f, "cert.pem is there but "));
	assert_int_equal(access(f->key, F_OK), -1);
}

static void a_pair_that_does_not_match_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	struct lp_span cert = lp_span_dup(f->r.scope, read_all(f, f->cert));
	unlink(f->cert);
	unlink(f->key);
	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	write_all(f->cert, cert);
	assert_int_equal(open_tls(f, "one.example"), LP_CONFIG);
	assert_true(said(f, "key.pem"));
}

static void files_that_are_no_pem_are_refused_in_words(void **state)
{
	struct fixture *f = *state;

	write_all(f->cert, LP_SPAN("nonsense"));
	write_all(f->key, LP_SPAN("nonsense"));
	assert_int_equal(open_tls(f, "one.example"), LP_CONFIG);
	assert_true(said(f, "cannot use the certificate in "));
}

/* It would ask for the password on the terminal, and a daemon has none. */
static void an_encrypted_key_is_refused_without_a_question(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	FILE *file = fopen(f->key, "r");
	EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	file = fopen(f->key, "w");
	PEM_write_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
	fclose(file);
	EVP_PKEY_free(key);
	assert_int_equal(open_tls(f, "one.example"), LP_CONFIG);
	assert_true(said(f, "cannot use the key in "));
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	struct fixture *f = *state;

	snprintf(f->key, sizeof(f->key), "%s/nowhere/key.pem", f->dir.path);
	assert_int_equal(open_tls(f, "one.example"), LP_CONFIG);
	assert_true(said(f, "nowhere"));
}

/* ---- reload ---- */

static void a_reload_takes_the_new_pair_and_keeps_the_old_one_if_that_is_bad(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	X509 *first = SSL_CTX_get0_certificate(lp_tls_server_ctx(f->tls));
	X509_up_ref(first);
	write_all(f->cert, LP_SPAN("nonsense"));
	assert_int_equal(lp_tls_server_reload(f->tls, &f->e), LP_CONFIG);
	assert_ptr_equal(SSL_CTX_get0_certificate(lp_tls_server_ctx(f->tls)), first);
	struct lp_tls_server *kept = f->tls;
	unlink(f->cert);
	unlink(f->key);
	assert_int_equal(lp_tls_server_reload(f->tls, &f->e), LP_CONFIG);	/* a reload makes none */
	assert_int_equal(open_tls(f, "two.example"), LP_OK);
	assert_int_equal(lp_tls_server_reload(kept, &f->e), LP_OK);
	assert_int_not_equal(X509_cmp(SSL_CTX_get0_certificate(lp_tls_server_ctx(kept)), first), 0);
	X509_free(first);
}

/* ---- what is spoken ---- */

/* Both ends in memory: until they have agreed or failed. */
static bool agree(SSL *client, SSL *server)
{
	BIO *a, *b;
	int failed = 0;

	BIO_new_bio_pair(&a, 0, &b, 0);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 20; i++) {
		int c = SSL_do_handshake(client), s = SSL_do_handshake(server);

		if (c == 1 && s == 1)
			return true;
		failed += c != 1 && SSL_get_error(client, c) == SSL_ERROR_SSL;
		failed += s != 1 && SSL_get_error(server, s) == SSL_ERROR_SSL;
		if (failed)
			return false;
	}
	return false;
}

static void protocol_is(struct fixture *f, const char *alpn, const char *chosen)
{
	SSL_CTX *ctx = lp_tls_ctx_client();
	SSL *client = SSL_new(ctx), *server = SSL_new(lp_tls_server_ctx(f->tls));
	const unsigned char *name = NULL;
	unsigned len = 0;

	if (alpn)
		SSL_set_alpn_protos(client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	assert_true(agree(client, server));
	SSL_get0_alpn_selected(server, &name, &len);
	assert_int_equal(len, strlen(chosen));
	assert_memory_equal(name ? (const char *)name : "", chosen, len);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
}

static void http_2_is_chosen_before_http_1_1(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	protocol_is(f, "\x08http/1.1\x02h2", "h2");
	protocol_is(f, "\x08http/1.1", "http/1.1");
	protocol_is(f, "\x06spdy/3", "");
	protocol_is(f, NULL, "");
}

static bool agrees_with_version(struct fixture *f, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_security_level(ctx, 0);
	SSL *client = SSL_new(ctx), *server = SSL_new(lp_tls_server_ctx(f->tls));
	bool agreed = agree(client, server);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
	return agreed;
}

static void tls_1_2_and_1_3_are_spoken_and_nothing_older(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	assert_true(agrees_with_version(f, TLS1_3_VERSION));
	assert_true(agrees_with_version(f, TLS1_2_VERSION));
	assert_false(agrees_with_version(f, TLS1_1_VERSION));
	assert_false(agrees_with_version(f, TLS1_VERSION));
}

/* A client of 1.2 could make us sign again and again on one connection. */
static void renegotiation_is_refused(void **state)
{
	struct fixture *f = *state;
	char byte;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL *client = SSL_new(ctx), *server = SSL_new(lp_tls_server_ctx(f->tls));
	assert_true(agree(client, server));
	assert_int_equal(SSL_renegotiate(client), 1);
	SSL_do_handshake(client);
	SSL_read(server, &byte, 1);
	SSL_do_handshake(client);
	assert_int_equal(SSL_get_error(client, SSL_do_handshake(client)), SSL_ERROR_SSL);
	assert_int_equal(SSL_num_renegotiations(server), 0);
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(ctx);
}

static void both_contexts_give_buffers_back(void **state)
{
	struct fixture *f = *state;
	long need = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;

	assert_int_equal(open_tls(f, "one.example"), LP_OK);
	assert_int_equal(SSL_CTX_get_mode(lp_tls_server_ctx(f->tls)) & need, need);
	assert_true(SSL_CTX_get_read_ahead(lp_tls_server_ctx(f->tls)));
	struct lp_tls_client *client = lp_tls_client_open(f->r.scope);
	assert_int_equal(SSL_CTX_get_mode(lp_tls_client_ctx(client)) & need, need);
	assert_true(SSL_CTX_get_read_ahead(lp_tls_client_ctx(client)));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(a_missing_pair_is_made),
		T(an_address_goes_into_the_certificate_as_one),
		T(a_host_is_not_taken_apart),
		T(an_existing_pair_is_used_and_never_overwritten),
		T(one_file_without_the_other_is_refused_and_nothing_written),
		T(a_pair_that_does_not_match_is_refused),
		T(files_that_are_no_pem_are_refused_in_words),
		T(an_encrypted_key_is_refused_without_a_question),
		T(a_folder_that_is_not_there_is_told),
		T(a_reload_takes_the_new_pair_and_keeps_the_old_one_if_that_is_bad),
		T(http_2_is_chosen_before_http_1_1),
		T(tls_1_2_and_1_3_are_spoken_and_nothing_older),
		T(renegotiation_is_refused),
		T(both_contexts_give_buffers_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
