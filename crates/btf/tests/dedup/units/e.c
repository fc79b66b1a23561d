// `ambiguous` for the second time; what only this unit has; the same function twice in a pointer.
struct ambiguous { long two; } two;
struct alone { struct alone *const *restrict me; void (*f)(struct alone *); void (*g)(struct alone *); double d; _Bool b; } alone;
struct first { struct second *second; int n; };
struct third { struct first f; struct third *(*make)(struct first *, struct second *); } third;
