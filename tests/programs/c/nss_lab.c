/* A name service of its own, as an NSS module: DNS knows nothing of its names. Every name that begins with "nss-" has the
 * IPv4 address that stands in the file LAB_NSS. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int address_of(const char *name, struct in_addr *address)
{
	const char *path = getenv("LAB_NSS");
	char text[64] = "";
	FILE *file;

	if (strncmp(name, "nss-", 4) != 0 || path == NULL || (file = fopen(path, "re")) == NULL)
		return 0;
	if (fgets(text, sizeof text, file) == NULL)
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return inet_pton(AF_INET, text, address) == 1;
}

enum nss_status _nss_lab_gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer, size_t length,
					  int *error, int *herror)
{
	struct place {
		char *aliases[1];
		char *addresses[2];
		struct in_addr address;
		char name[256];
	} *place = (struct place *)(((size_t)buffer + 15) & ~(size_t)15);
	struct in_addr address;

	if (family != AF_INET || !address_of(name, &address)) {
		*error = ENOENT;
		*herror = HOST_NOT_FOUND;
		return NSS_STATUS_NOTFOUND;
	}
	if ((char *)(place + 1) > buffer + length) {
		*error = ERANGE;
		*herror = NETDB_INTERNAL;
		return NSS_STATUS_TRYAGAIN;
	}
	place->aliases[0] = NULL;
	place->addresses[0] = (char *)&place->address;
	place->addresses[1] = NULL;
	place->address = address;
	snprintf(place->name, sizeof place->name, "%s", name);
	entry->h_name = place->name;
	entry->h_aliases = place->aliases;
	entry->h_addrtype = AF_INET;
	entry->h_length = sizeof address;
	entry->h_addr_list = place->addresses;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_lab_gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t length, int *error,
					 int *herror)
{
	return _nss_lab_gethostbyname2_r(name, AF_INET, entry, buffer, length, error, herror);
}
