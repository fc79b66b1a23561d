// Defines `owner`; another `conflict` than c.c; a pair of structs that lead to each other, in the other order.
#include "shared.h"
struct owner { struct tree *root; u64 count; struct late *late; };
struct conflict { int a; };
struct holder { struct conflict *c; };
struct second { struct first *first; };
struct first { struct second *second; int n; };
struct tree tree_b;
struct owner owner;
struct holder holder;
struct second second;
struct { int a, b; } pair_b;
enum color color;
int matrix_b[3][4];
__attribute__((noinline)) int visit_b(struct tree *t) { return t->red; }
int run_b(void) { return visit_b(&tree_b); }
