/* Holds an object in the kernel through libbpf for a test: loads it, attaches every program of it, says `ready`, waits
 * for a line, and tells what its maps, rings and iterators have. The number of the process that asked stands in the
 * map `want` before anything is attached. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void hex(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
}

static int record(void *name, void *data, size_t size)
{
	printf("record %s ", (const char *)name);
	hex(data, size);
	printf("\n");
	return 0;
}

static void entries(const struct bpf_map *map)
{
	unsigned key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	unsigned char *key = calloc(1, key_size), *value = calloc(1, value_size);
	int fd = bpf_map__fd(map), more;

	for (more = bpf_map_get_next_key(fd, NULL, key); !more; more = bpf_map_get_next_key(fd, key, key)) {
		if (bpf_map_lookup_elem(fd, key, value))
			continue;
		printf("entry %s ", bpf_map__name(map));
		hex(key, key_size);
		printf(" ");
		hex(value, value_size);
		printf("\n");
	}
	free(key);
	free(value);
}

static int fail(const char *what, const char *name)
{
	fprintf(stderr, "%s %s: %s\n", what, name, strerror(errno));
	return 1;
}

static int text(const struct bpf_program *program, const struct bpf_link *link)
{
	int fd = bpf_iter_create(bpf_link__fd(link));
	unsigned char block[4096];
	ssize_t n;

	if (fd < 0)
		return fail("iterator", bpf_program__name(program));
	printf("text %s ", bpf_program__name(program));
	while ((n = read(fd, block, sizeof(block))) > 0)
		hex(block, n);
	printf("\n");
	close(fd);
	return n < 0 ? fail("iterator", bpf_program__name(program)) : 0;
}

/* libbpf reads the numbers of tracepoints from tracefs; where that is not mounted, for this process alone. */
static void tracefs(void)
{
	if (access("/sys/kernel/tracing/events", F_OK) && !unshare(CLONE_NEWNS) &&
	    !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		(void)mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

#define PROGRAMS 16

int main(int argc, char **argv)
{
	struct bpf_link *links[PROGRAMS] = {0};
	struct bpf_program *program;
	struct bpf_object *object;
	struct bpf_map *map;
	char line[16];
	int n = 0;

	if (argc != 2)
		return fail("usage: hold", "OBJECT");
	tracefs();
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object))
		return fail("load", argv[1]);
	map = bpf_object__find_map_by_name(object, "want");
	if (map) {
		unsigned key = 0;
		unsigned long long asker = getppid();

		if (bpf_map_update_elem(bpf_map__fd(map), &key, &asker, BPF_ANY))
			return fail("map", "want");
	}
	bpf_object__for_each_program(program, object) {
		if (n == PROGRAMS)
			return fail("too many programs in", argv[1]);
		links[n] = bpf_program__attach(program);
		if (!links[n++])
			return fail("attach", bpf_program__name(program));
	}
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	n = 0;
	bpf_object__for_each_program(program, object) {
		if (bpf_program__expected_attach_type(program) == BPF_TRACE_ITER && text(program, links[n]))
			return 1;
		n++;
	}
	bpf_object__for_each_map(map, object) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF) {
			struct ring_buffer *ring =
				ring_buffer__new(bpf_map__fd(map), record, (void *)bpf_map__name(map), NULL);
			if (!ring || ring_buffer__consume(ring) < 0)
				return fail("ring", bpf_map__name(map));
			ring_buffer__free(ring);
		} else {
			entries(map);
		}
	}
	printf("done\n");
	return 0;
}
