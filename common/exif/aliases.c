/* How others spell the names of tags: exiftool, Flickr, libexif, and our own records. */
#include "exif/aliases.h"

#include "exif/spelling.h"

#include <string.h>
#include <strings.h>

static const alias alias_table[] = {
    {"make", KEY_MAKE, 0},
    {"cameramake", KEY_MAKE, 1},
    {"model", KEY_MODEL, 0},
    {"cameramodelname", KEY_MODEL, 1},
    {"cameramodel", KEY_MODEL, 1},
    {"flash", KEY_FLASH, 0},
    {"meteringmode", KEY_METERING_MODE, 0},
    {"scenecapturetype", KEY_SCENE_CAPTURE_TYPE, 0},
    {"exposuremode", KEY_EXPOSURE_MODE, 0},
    {"whitebalance", KEY_WHITE_BALANCE, 0},
    {"whitebalancemode", KEY_WHITE_BALANCE, 1},
    {"exposureprogram", KEY_EXPOSURE_PROGRAM, 0},
    {"aperturevalue", KEY_APERTURE, 0},
    {"aperture", KEY_APERTURE, 1},
    {"fnumber", KEY_F_NUMBER, 0},
    {"exposurecompensation", KEY_EXPOSURE_BIAS, 0},
    {"exposurebiasvalue", KEY_EXPOSURE_BIAS, 0},
    {"exposurebias", KEY_EXPOSURE_BIAS, 1},
    {"exposuretime", KEY_EXPOSURE_TIME, 0},
    {"exposure", KEY_EXPOSURE_TIME, 1},
    {"shutterspeedvalue", KEY_SHUTTER_SPEED, 0},
    {"shutterspeed", KEY_SHUTTER_SPEED, 1},
    {"focallength", KEY_FOCAL_LENGTH, 0},
    {"iso", KEY_ISO, 0},
    {"isospeedratings", KEY_ISO, 1},
    {"isospeedrating", KEY_ISO, 1},
    {"photographicsensitivity", KEY_ISO, 1},
    {"isospeed", KEY_ISO, 2},
    {"isospeed", KEY_ISO_SPEED, 0},
    {"recommendedexposureindex", KEY_RECOMMENDED_EXPOSURE_INDEX, 0},
    {"standardoutputsensitivity", KEY_STANDARD_OUTPUT_SENSITIVITY, 0},
    {"datetimeoriginal", KEY_DATETIME_ORIGINAL, 0},
    {"dateandtimeoriginal", KEY_DATETIME_ORIGINAL, 1},
    {"focallengthin35mmformat", KEY_FOCAL_LENGTH_35MM, 0},
    {"focallengthin35mmfilm", KEY_FOCAL_LENGTH_35MM, 0},
    {"focallength35mmformat", KEY_FOCAL_LENGTH_35MM, 1},
    {"focallength35mm", KEY_FOCAL_LENGTH_35MM, 1},
    {"lensmodel", KEY_LENS_MODEL, 0},
    {"orientation", KEY_ORIENTATION, 0},
    {"imagewidth", KEY_IMAGE_WIDTH, 0},
    {"width", KEY_IMAGE_WIDTH, 1},
    {"imageheight", KEY_IMAGE_HEIGHT, 0},
    {"imagelength", KEY_IMAGE_HEIGHT, 0},
    {"height", KEY_IMAGE_HEIGHT, 1},
};

static const char *const standard_groups[] = {"EXIF", "IFD0",  "ExifIFD", "Composite",
                                              "File", "Image", "Camera",  "Time"};

bool alias_group_is_standard(const char *group, size_t length)
{
    for (size_t i = 0; i < sizeof standard_groups / sizeof *standard_groups; i++)
        if (strlen(standard_groups[i]) == length && !strncasecmp(standard_groups[i], group, length))
            return true;
    return false;
}

/* All groups of "EXIF:ExifIFD:Camera:Flash" must be standard ones. */
static const char *skip_groups(const char *name)
{
    const char *colon;
    while ((colon = strchr(name, ':'))) {
        if (!alias_group_is_standard(name, (size_t)(colon - name))) return NULL;
        name = colon + 1;
    }
    return name;
}

static bool spelt_like(const char *name, const char *spelling)
{
    char letter;
    while ((letter = spelling_next(&name)) == *spelling && letter) spelling++;
    return letter == *spelling;
}

const alias *alias_find(const char *name, const alias *previous)
{
    const alias *end = alias_table + sizeof alias_table / sizeof *alias_table;
    name = skip_groups(name);
    if (!name) return NULL;
    for (const alias *a = previous ? previous + 1 : alias_table; a < end; a++)
        if (spelt_like(name, a->spelling)) return a;
    return NULL;
}
