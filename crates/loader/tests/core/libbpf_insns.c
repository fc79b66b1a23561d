// The judge: prints what libbpf makes of each program of an object for a kernel with the BTF given.
// usage: libbpf_insns OBJECT BTF. Lines: `NAME HEX…`, eight bytes a word, or `NAME error`.
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return getenv("VERBOSE") ? vfprintf(stderr, format, args) : 0;
}

static int printed;

/* Called when relocations are done and before the kernel sees the program; refusing ends the load there. */
static int show(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	const unsigned char *bytes = (const void *)bpf_program__insns(prog);
	size_t count = bpf_program__insn_cnt(prog);

	printf("%s", bpf_program__name(prog));
	for (size_t i = 0; i < count; i++) {
		/* The descriptor of a map, which is no answer. */
		int map = bytes[i * 8] == 0x18 && bytes[i * 8 + 1] >> 4 == BPF_PSEUDO_MAP_FD;

		printf(" ");
		for (int j = 0; j < 8; j++)
			printf("%02x", map && j >= 4 ? 0 : bytes[i * 8 + j]);
	}
	printf("\n");
	printed = 1;
	return -1;
}

static void one(const char *object, const char *btf, const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf);
	struct bpf_object *obj = bpf_object__open_file(object, &opts);
	struct bpf_program *prog;

	if (!obj)
		exit(1);
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, strcmp(bpf_program__name(prog), name) == 0);
	printed = 0;
	bpf_object__load(obj);
	if (!printed)
		printf("%s error\n", name);
	bpf_object__close(obj);
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, handler, .prog_prepare_load_fn = show);
	struct bpf_object *obj;
	struct bpf_program *prog;

	if (argc != 3)
		return 2;
	libbpf_set_print(quiet);
	libbpf_register_prog_handler("raw_tp+", BPF_PROG_TYPE_RAW_TRACEPOINT, 0, &handler);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj)
		return 1;
	bpf_object__for_each_program(prog, obj)
		one(argv[1], argv[2], bpf_program__name(prog));
	bpf_object__close(obj);
	return 0;
}
