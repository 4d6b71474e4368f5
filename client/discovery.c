#include "client/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/wire.h"
