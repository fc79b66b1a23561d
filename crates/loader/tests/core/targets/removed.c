// Fields, an enumerator and types gone.
enum color { RED = 1, GREEN = 2 };
struct part { unsigned long serial; };
struct widget {
	int id;
	char name[16];
	struct part *first;
};
struct widget widget;
enum color color;
