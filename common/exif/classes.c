/* The classes of the categorical tags: tables. */
#include "exif/classes.h"

#include "exif/spelling.h"

#include <string.h>

static const struct code_row {
    photo_key key;
    int code;
    const char *name;
} code_table[] = {
    {KEY_METERING_MODE, 1, "average"},
    {KEY_METERING_MODE, 2, "centerweighted"},
    {KEY_METERING_MODE, 3, "spot"},
    {KEY_METERING_MODE, 4, "multi-spot"},
    {KEY_METERING_MODE, 5, "multi-segment"},
    {KEY_METERING_MODE, 6, "partial"},
    {KEY_METERING_MODE, 255, "others"},
    {KEY_SCENE_CAPTURE_TYPE, 0, "standard"},
    {KEY_SCENE_CAPTURE_TYPE, 1, "landscape"},
    {KEY_SCENE_CAPTURE_TYPE, 2, "portrait"},
    {KEY_SCENE_CAPTURE_TYPE, 3, "night scene"},
    {KEY_SCENE_CAPTURE_TYPE, 4, "others"}, /* Samsung's, not the standard's */
    {KEY_EXPOSURE_MODE, 0, "auto"},
    {KEY_EXPOSURE_MODE, 1, "manual"},
    {KEY_EXPOSURE_MODE, 2, "auto-bracketing"},
    {KEY_WHITE_BALANCE, 0, "auto"},
    {KEY_WHITE_BALANCE, 1, "manual"},
    {KEY_EXPOSURE_PROGRAM, 1, "manual control"},
    {KEY_EXPOSURE_PROGRAM, 2, "normal program"},
    {KEY_EXPOSURE_PROGRAM, 3, "aperture priority"},
    {KEY_EXPOSURE_PROGRAM, 4, "shutter priority"},
    {KEY_EXPOSURE_PROGRAM, 5, "creative program"},
    {KEY_EXPOSURE_PROGRAM, 6, "action program"},
    {KEY_EXPOSURE_PROGRAM, 7, "portrait mode"},
    {KEY_EXPOSURE_PROGRAM, 8, "landscape mode"},
};

/* Beside the class names themselves; lower case, letters and digits alone. */
static const struct text_row {
    photo_key key;
    const char *text, *name;
} text_table[] = {
    {KEY_METERING_MODE, "centerweightedaverage", "centerweighted"},
    {KEY_METERING_MODE, "centreweighted", "centerweighted"},
    {KEY_METERING_MODE, "centreweightedaverage", "centerweighted"},
    {KEY_METERING_MODE, "center", "centerweighted"},
    {KEY_METERING_MODE, "multizone", "multi-segment"},
    {KEY_METERING_MODE, "matrix", "multi-segment"},
    {KEY_METERING_MODE, "pattern", "multi-segment"},
    {KEY_METERING_MODE, "multi", "multi-segment"},
    {KEY_METERING_MODE, "esp", "multi-segment"},
    {KEY_METERING_MODE, "evaluative", "evaluative"},
    {KEY_METERING_MODE, "other", "others"},
    {KEY_SCENE_CAPTURE_TYPE, "night", "night scene"},
    {KEY_SCENE_CAPTURE_TYPE, "other", "others"},
    {KEY_EXPOSURE_MODE, "autoexposure", "auto"},
    {KEY_EXPOSURE_MODE, "manualexposure", "manual"},
    {KEY_EXPOSURE_MODE, "autobracket", "auto-bracketing"},
    {KEY_EXPOSURE_MODE, "bracketing", "auto-bracketing"},
    {KEY_EXPOSURE_MODE, "program", "program"},
    {KEY_EXPOSURE_MODE, "programae", "program"},
    {KEY_EXPOSURE_MODE, "aperturepriority", "aperture-priority"},
    {KEY_EXPOSURE_MODE, "aperturepriorityae", "aperture-priority"},
    {KEY_EXPOSURE_MODE, "easy", "easy-shooting"},
    {KEY_EXPOSURE_MODE, "easyshooting", "easy-shooting"},
    {KEY_EXPOSURE_MODE, "shutterpriority", "shutter-priority"},
    {KEY_EXPOSURE_MODE, "shutterspeedpriority", "shutter-priority"},
    {KEY_EXPOSURE_MODE, "shutterspeedpriorityae", "shutter-priority"},
    {KEY_WHITE_BALANCE, "autowhitebalance", "auto"},
    {KEY_WHITE_BALANCE, "manualwhitebalance", "manual"},
    {KEY_EXPOSURE_PROGRAM, "manual", "manual control"},
    {KEY_EXPOSURE_PROGRAM, "program", "normal program"},
    {KEY_EXPOSURE_PROGRAM, "programae", "normal program"},
    {KEY_EXPOSURE_PROGRAM, "normal", "normal program"},
    {KEY_EXPOSURE_PROGRAM, "auto", "normal program"},
    {KEY_EXPOSURE_PROGRAM, "aperturepriorityae", "aperture priority"},
    {KEY_EXPOSURE_PROGRAM, "shutterpriorityae", "shutter priority"},
    {KEY_EXPOSURE_PROGRAM, "shutterspeedpriority", "shutter priority"},
    {KEY_EXPOSURE_PROGRAM, "shutterspeedpriorityae", "shutter priority"},
    {KEY_EXPOSURE_PROGRAM, "creative", "creative program"},
    {KEY_EXPOSURE_PROGRAM, "creativeslowspeed", "creative program"},
    {KEY_EXPOSURE_PROGRAM, "creativeprogrambiasedtowarddepthoffield", "creative program"},
    {KEY_EXPOSURE_PROGRAM, "creativeprogrambiasedtowardsdepthoffield", "creative program"},
    {KEY_EXPOSURE_PROGRAM, "action", "action program"},
    {KEY_EXPOSURE_PROGRAM, "actionhighspeed", "action program"},
    {KEY_EXPOSURE_PROGRAM, "actionprogrambiasedtowardfastshutterspeed", "action program"},
    {KEY_EXPOSURE_PROGRAM, "portrait", "portrait mode"},
    {KEY_EXPOSURE_PROGRAM, "portraitmodeforcloseupphotoswiththebackgroundoutoffocus",
     "portrait mode"},
    {KEY_EXPOSURE_PROGRAM, "landscape", "landscape mode"},
    {KEY_EXPOSURE_PROGRAM, "landscapemodeforlandscapephotoswiththebackgroundinfocus",
     "landscape mode"},
};

/* In exiftool's order; index + 1 is the code. */
static const char *const orientation_texts[][2] = {
    {"horizontalnormal", "topleft"},
    {"mirrorhorizontal", "topright"},
    {"rotate180", "bottomright"},
    {"mirrorvertical", "bottomleft"},
    {"mirrorhorizontalandrotate270cw", "lefttop"},
    {"rotate90cw", "righttop"},
    {"mirrorhorizontalandrotate90cw", "rightbottom"},
    {"rotate270cw", "leftbottom"},
};

enum { SQUEEZED_BYTES = 80 };

static void squeeze(const char *text, char squeezed[SQUEEZED_BYTES])
{
    size_t n = 0;
    while (n < SQUEEZED_BYTES - 1 && (squeezed[n] = spelling_next(&text))) n++;
    squeezed[n] = '\0';
}

/* 0x9209: bit 0 says whether the flash fired, bits 3 and 4 its mode, 3 meaning auto. */
static const char *flash_class(bool fired, bool automatic)
{
    static const char *const name[2][2] = {{"not fired", "fired"},
                                           {"not fired in auto mode", "fired in auto mode"}};
    return name[automatic][fired];
}

const char *class_of_code(photo_key key, int64_t code)
{
    if (key == KEY_FLASH)
        return code >= 0 && code <= UINT16_MAX ? flash_class(code & 1, (code >> 3 & 3) == 3) : NULL;
    for (size_t i = 0; i < sizeof code_table / sizeof *code_table; i++)
        if (code_table[i].key == key && code_table[i].code == code) return code_table[i].name;
    return NULL;
}

/* "Auto, Did not fire", "Flash fired, auto mode", "On, Return detected", "No flash function",
 * "Yes". */
static const char *flash_of_text(const char *text)
{
    static const char *const not_fired[] = {"didnotfire", "notfire", "noflash", "notfired", NULL};
    bool automatic = strstr(text, "auto") != NULL;
    for (int i = 0; not_fired[i]; i++)
        if (strstr(text, not_fired[i])) return flash_class(false, automatic);
    if (strstr(text, "fire") || !strncmp(text, "on", 2) || !strcmp(text, "yes") ||
        !strcmp(text, "true"))
        return flash_class(true, automatic);
    if (!strncmp(text, "off", 3) || !strcmp(text, "no") || !strcmp(text, "false"))
        return flash_class(false, automatic);
    return NULL;
}

const char *class_of_text(photo_key key, const char *text)
{
    char wanted[SQUEEZED_BYTES], name[SQUEEZED_BYTES];
    squeeze(text, wanted);
    if (key == KEY_FLASH) return flash_of_text(wanted);
    for (size_t i = 0; i < sizeof text_table / sizeof *text_table; i++)
        if (text_table[i].key == key && !strcmp(text_table[i].text, wanted))
            return text_table[i].name;
    for (size_t i = 0; i < sizeof code_table / sizeof *code_table; i++) {
        if (code_table[i].key != key) continue;
        squeeze(code_table[i].name, name);
        if (!strcmp(name, wanted)) return code_table[i].name;
    }
    return NULL;
}

int orientation_of_text(const char *text)
{
    char wanted[SQUEEZED_BYTES];
    squeeze(text, wanted);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 2; k++)
            if (!strcmp(orientation_texts[i][k], wanted)) return i + 1;
    return !strcmp(wanted, "horizontal") || !strcmp(wanted, "normal");
}
