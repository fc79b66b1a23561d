// Every kind of CO-RE relocation, one program each, so that a record's number in its section is its number in the
// program. Only the relocated instructions matter; nothing here is ever run.
#define SEC(name) __attribute__((section(name), used))
#define CORE __attribute__((preserve_access_index))
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum field_info { BYTE_OFFSET, BYTE_SIZE, EXISTS, SIGNED, LSHIFT_U64, RSHIFT_U64 };
enum type_info { TYPE_EXISTS, TYPE_SIZE, TYPE_MATCHES };
enum value_info { VALUE_EXISTS, VALUE };
enum id_info { ID_LOCAL, ID_TARGET };

enum color { RED = 1, GREEN = 2, BLUE = 7 };
enum huge { SMALL = 1, LARGE = 0x123456789a };
typedef int number_t;

struct part {
	int weight;
	u64 serial;
} CORE;

struct widget {
	u64 count;
	int id;
	short level;
	u8 small;
	u32 flag : 3, mode : 5;
	int tilt : 6;
	char name[16];
	struct part *first;
	struct part parts[4];
	union {
		int a;
		u64 b;
	};
	struct {
		int x;
		int y;
	} at;
	enum color color;
	u64 gone;
	int tail[];
} CORE;

// A flavour: the same struct of the kernel under another of its layouts.
struct widget___old {
	u64 total;
} CORE;

struct absent {
	int any;
} CORE;

#define PROGRAM(name) SEC("raw_tp/" #name) long name(void *ctx)
#define W(ctx) ((struct widget *)*(u64 *)(ctx))

PROGRAM(offset_load_u64) { return W(ctx)->count; }
PROGRAM(offset_load_i32) { return W(ctx)->id; }
PROGRAM(offset_load_i16) { return W(ctx)->level; }
PROGRAM(offset_load_u8) { return W(ctx)->small; }
PROGRAM(offset_store_u32) { W(ctx)->a = 5; return 0; }
PROGRAM(offset_store_reg) { W(ctx)->b = (u64)ctx; return 0; }
PROGRAM(offset_address) { return (long)&W(ctx)->name; }
PROGRAM(offset_element) { return (long)&W(ctx)->name[3]; }
PROGRAM(offset_array_of_structs) { return W(ctx)->parts[2].weight; }
PROGRAM(offset_pointer_chain) { return W(ctx)->first->serial; }
PROGRAM(offset_nested) { return W(ctx)->at.y; }
PROGRAM(offset_enum) { return W(ctx)->color; }
PROGRAM(offset_flexible) { return (long)&W(ctx)->tail[2]; }
PROGRAM(offset_second_of_array) { return (W(ctx) + 1)->id; }
PROGRAM(offset_gone) { return W(ctx)->gone; }
PROGRAM(offset_flavour) { return ((struct widget___old *)*(u64 *)ctx)->total; }
PROGRAM(offset_of_absent) { return ((struct absent *)*(u64 *)ctx)->any; }

#define ASK(name, what, info) PROGRAM(ask_##name) { return __builtin_preserve_field_info(what, info); }
ASK(size_u64, W(ctx)->count, BYTE_SIZE)
ASK(size_array, W(ctx)->name, BYTE_SIZE)
ASK(size_struct, W(ctx)->parts[1], BYTE_SIZE)
ASK(size_gone, W(ctx)->gone, BYTE_SIZE)
ASK(exists, W(ctx)->count, EXISTS)
ASK(exists_gone, W(ctx)->gone, EXISTS)
ASK(exists_flavour, ((struct widget___old *)*(u64 *)ctx)->total, EXISTS)
ASK(exists_absent, ((struct absent *)*(u64 *)ctx)->any, EXISTS)
ASK(signed_id, W(ctx)->id, SIGNED)
ASK(signed_count, W(ctx)->count, SIGNED)
ASK(signed_enum, W(ctx)->color, SIGNED)
ASK(lshift_id, W(ctx)->id, LSHIFT_U64)
ASK(rshift_id, W(ctx)->id, RSHIFT_U64)

#define BITS(field)                                 \
	ASK(bits_offset_##field, W(ctx)->field, BYTE_OFFSET) \
	ASK(bits_size_##field, W(ctx)->field, BYTE_SIZE)     \
	ASK(bits_lshift_##field, W(ctx)->field, LSHIFT_U64)  \
	ASK(bits_rshift_##field, W(ctx)->field, RSHIFT_U64)  \
	ASK(bits_signed_##field, W(ctx)->field, SIGNED)
BITS(flag)
BITS(mode)
BITS(tilt)

#define TYPE(name, type, info) PROGRAM(type_##name) { return __builtin_preserve_type_info(*(type *)0, info); }
TYPE(exists_struct, struct widget, TYPE_EXISTS)
TYPE(exists_absent, struct absent, TYPE_EXISTS)
TYPE(exists_typedef, number_t, TYPE_EXISTS)
TYPE(exists_enum, enum color, TYPE_EXISTS)
TYPE(size_struct, struct widget, TYPE_SIZE)
TYPE(size_part, struct part, TYPE_SIZE)
TYPE(size_absent, struct absent, TYPE_SIZE)
TYPE(matches_part, struct part, TYPE_MATCHES)
TYPE(matches_widget, struct widget, TYPE_MATCHES)
TYPE(matches_absent, struct absent, TYPE_MATCHES)
PROGRAM(type_id_local) { return __builtin_btf_type_id(*(struct part *)0, ID_LOCAL); }
PROGRAM(type_id_target) { return __builtin_btf_type_id(*(struct part *)0, ID_TARGET); }
PROGRAM(type_id_absent) { return __builtin_btf_type_id(*(struct absent *)0, ID_TARGET); }

#define ENUM(name, type, value, info) \
	PROGRAM(enum_##name) { return __builtin_preserve_enum_value(*(type *)value, info); }
ENUM(exists_green, enum color, GREEN, VALUE_EXISTS)
ENUM(exists_blue, enum color, BLUE, VALUE_EXISTS)
ENUM(value_green, enum color, GREEN, VALUE)
ENUM(value_blue, enum color, BLUE, VALUE)
ENUM(value_large, enum huge, LARGE, VALUE)
ENUM(exists_large, enum huge, LARGE, VALUE_EXISTS)

SEC("license") const char licence[] = "GPL";
