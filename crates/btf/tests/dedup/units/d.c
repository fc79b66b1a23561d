// `ambiguous` once; the same types again under another order, and two definitions of `list` that differ in a name only.
struct ambiguous { int one; } one;
struct list { struct list *next, *before; } list;
struct ring *ring_d;
struct late { int here; struct ring *ring; enum color { RED = 1, GREEN, BLUE = -3 } color; } late_d;
typedef unsigned int u32;
typedef u32 u32_again;
u32_again again;
int (*table[2])(struct late *, ...);
