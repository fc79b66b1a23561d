// What several units see.
typedef unsigned long long u64;
typedef unsigned int u32;
struct list { struct list *next, *prev; };
struct tree;
union either { int i; u64 u; struct tree *t; };
typedef int (*visit_t)(struct tree *, void *arg, const char *name);
struct tree {
	struct list list;
	struct tree *left, *right, *parent;
	struct { u32 x; union { u32 y; char z[4]; }; };
	visit_t visit;
	struct owner *owner;
	unsigned int red : 1, depth : 5;
	const volatile char *label;
	float weight;
};
enum color { RED = 1, GREEN, BLUE = -3 };
enum wide { SMALL = 1, LARGE = 0x123456789aULL };
struct owner;
