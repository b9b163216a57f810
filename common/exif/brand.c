/* The brands behind the spellings of Make: a table. */
#include "exif/brand.h"

#include "exif/spelling.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Spellings in lower case, letters and digits alone, without the words of `company_words` at their
 * end. */
static const struct make_row {
    const char *spelling, *brand;
} make_table[] = {
    {"acer", "Acer"},
    {"agfa", "Agfa"},
    {"agfagevaert", "Agfa"},
    {"agfaphoto", "Agfa"},
    {"aiptek", "Aiptek"},
    {"apple", "Apple"},
    {"applecomputer", "Apple"},
    {"asahioptical", "Pentax"},
    {"asus", "ASUS"},
    {"asustek", "ASUS"},
    {"asustekcomputer", "ASUS"},
    {"benq", "BenQ"},
    {"benqsiemens", "BenQ"},
    {"blackberry", "BlackBerry"},
    {"blackmagicdesign", "Blackmagic Design"},
    {"canon", "Canon"},
    {"caplio", "Ricoh"},
    {"casio", "Casio"},
    {"casiocomputer", "Casio"},
    {"concord", "Concord"},
    {"concordcamera", "Concord"},
    {"contax", "Contax"},
    {"creative", "Creative"},
    {"dji", "DJI"},
    {"dxo", "DxO"},
    {"eastmankodak", "Kodak"},
    {"epson", "Epson"},
    {"fairphone", "Fairphone"},
    {"flir", "FLIR"},
    {"flirsystemsab", "FLIR"},
    {"flirsystems", "FLIR"},
    {"fuji", "FUJIFILM"},
    {"fujifilm", "FUJIFILM"},
    {"fujiphotofilm", "FUJIFILM"},
    {"garmin", "Garmin"},
    {"ge", "GE"},
    {"generalelectric", "GE"},
    {"generalimaging", "GE"},
    {"google", "Google"},
    {"gopro", "GoPro"},
    {"hasselblad", "Hasselblad"},
    {"hewlettpackard", "HP"},
    {"hmdglobal", "Nokia"},
    {"hmdglobaloy", "Nokia"},
    {"honor", "Honor"},
    {"hp", "HP"},
    {"htc", "HTC"},
    {"htcone", "HTC"},
    {"huawei", "Huawei"},
    {"huaweitechnologies", "Huawei"},
    {"imageplus", "ImagePlus"},
    {"infinix", "Infinix"},
    {"infisense", "Infisense"},
    {"insta360", "Insta360"},
    {"jenoptik", "Jenoptik"},
    {"jkimagingltd", "Kodak"},
    {"jkimaging", "Kodak"},
    {"jvc", "JVC"},
    {"jvckenwood", "JVC"},
    {"kddi", "KDDI"},
    {"kddica", "KDDI"},
    {"kodak", "Kodak"},
    {"konica", "Konica"},
    {"konicaminolta", "Konica Minolta"},
    {"konicaminoltacamera", "Konica Minolta"},
    {"konicaminoltaphotoimaging", "Konica Minolta"},
    {"kyocera", "Kyocera"},
    {"leaf", "Leaf"},
    {"leica", "Leica"},
    {"leicacamera", "Leica"},
    {"leicacameraag", "Leica"},
    {"lenovo", "Lenovo"},
    {"lg", "LG"},
    {"lge", "LG"},
    {"lgelec", "LG"},
    {"lgelectronics", "LG"},
    {"lgmobile", "LG"},
    {"mamiya", "Mamiya"},
    {"maginon", "Maginon"},
    {"medion", "Medion"},
    {"meizu", "Meizu"},
    {"microsoft", "Microsoft"},
    {"microtek", "Microtek"},
    {"minolta", "Minolta"},
    {"minoltacamera", "Minolta"},
    {"motorola", "Motorola"},
    {"motorolamobility", "Motorola"},
    {"mustek", "Mustek"},
    {"nikon", "Nikon"},
    {"nikonimaging", "Nikon"},
    {"nokia", "Nokia"},
    {"nothing", "Nothing"},
    {"olympus", "Olympus"},
    {"olympusimaging", "Olympus"},
    {"olympusoptical", "Olympus"},
    {"omdigitalsolutions", "OM System"},
    {"omsystem", "OM System"},
    {"oneplus", "OnePlus"},
    {"oppo", "OPPO"},
    {"palm", "Palm"},
    {"panasonic", "Panasonic"},
    {"parrot", "Parrot"},
    {"pantech", "Pantech"},
    {"pentax", "Pentax"},
    {"pentaxricohimaging", "Pentax"},
    {"phaseone", "Phase One"},
    {"philips", "Philips"},
    {"polaroid", "Polaroid"},
    {"praktica", "Praktica"},
    {"premier", "Premier"},
    {"realme", "realme"},
    {"reconyx", "RECONYX"},
    {"red", "RED"},
    {"researchinmotion", "BlackBerry"},
    {"ricoh", "Ricoh"},
    {"ricohimaging", "Ricoh"},
    {"rim", "BlackBerry"},
    {"rollei", "Rollei"},
    {"samsung", "Samsung"},
    {"samsunganycall", "Samsung"},
    {"samsungdigitalima", "Samsung"},
    {"samsungdigitalimaging", "Samsung"},
    {"samsungelectronics", "Samsung"},
    {"samsungopto", "Samsung"},
    {"samsungtechwin", "Samsung"},
    {"sanyo", "Sanyo"},
    {"sanyoelectric", "Sanyo"},
    {"seikoepson", "Epson"},
    {"sharp", "Sharp"},
    {"sigma", "Sigma"},
    {"skanhex", "Skanhex"},
    {"sony", "Sony"},
    {"sonyericsson", "Sony Ericsson"},
    {"sonyericssonmobilecommunications", "Sony Ericsson"},
    {"sonyimagingproductssolutions", "Sony"},
    {"sonymobile", "Sony"},
    {"sonymobilecommunications", "Sony"},
    {"supra", "Supra"},
    {"tclcommunication", "TCL"},
    {"tcl", "TCL"},
    {"tecno", "TECNO"},
    {"tecnomobile", "TECNO"},
    {"toshiba", "Toshiba"},
    {"trust", "Trust"},
    {"vivitar", "Vivitar"},
    {"vivo", "vivo"},
    {"vodafone", "Vodafone"},
    {"xiaomi", "Xiaomi"},
    {"xiaoyi", "YI"},
    {"yakumo", "Yakumo"},
    {"yashica", "Yashica"},
    {"yi", "YI"},
    {"yitechnology", "YI"},
    {"zeiss", "Zeiss"},
    {"zte", "ZTE"},
};

static const char *const company_words[] = {
    "corporation", "corp",    "incorporated", "inc",     "company", "co",
    "limited",     "ltd",     "gmbh",         "llc",     "kk",      "products",
    "technology",  "optical", "camera",       "cameras", "digital"};

/* Some companies write one Make for several brands; the model begins with the brand. */
static const struct model_row {
    const char *brand, *model, *instead;
} model_table[] = {
    {"Ricoh", "PENTAX", "Pentax"},
};

static const char *find_spelling(const char *spelling)
{
    for (size_t i = 0; i < sizeof make_table / sizeof *make_table; i++)
        if (make_table[i].spelling[0] == spelling[0] && !strcmp(make_table[i].spelling, spelling))
            return make_table[i].brand;
    return NULL;
}

/* A make without its blanks and signs, in lower case. */
typedef struct spelling {
    char text[128];
    bool begins[128]; /* a word begins at this letter */
    size_t length;
} spelling;

static bool squeeze(spelling *s, const char *make)
{
    const char *last = NULL; /* the end of the letter before */
    char letter;
    s->length = 0;
    while ((letter = spelling_next(&make))) {
        if (s->length == sizeof s->text - 1) return false;
        s->begins[s->length] = make - 1 != last;
        s->text[s->length++] = letter;
        last = make;
    }
    s->text[s->length] = '\0';
    return true;
}

static bool cut_company_word(spelling *s)
{
    for (size_t i = 0; i < sizeof company_words / sizeof *company_words; i++) {
        size_t k = strlen(company_words[i]);
        if (s->length <= k || !s->begins[s->length - k]) continue;
        if (strcmp(s->text + s->length - k, company_words[i])) continue;
        s->text[s->length -= k] = '\0';
        return true;
    }
    return false;
}

static const char *find_brand(const char *make)
{
    spelling s;
    if (!squeeze(&s, make)) return NULL;
    const char *brand = find_spelling(s.text);
    while (!brand && cut_company_word(&s)) brand = find_spelling(s.text);
    return brand;
}

const char *make_brand(const char *make, const char *model)
{
    const char *brand = find_brand(make);
    if (!brand) return make;
    for (size_t i = 0; model && i < sizeof model_table / sizeof *model_table; i++) {
        const struct model_row *row = &model_table[i];
        if (!strcmp(row->brand, brand) && !strncasecmp(model, row->model, strlen(row->model)))
            return row->instead;
    }
    return brand;
}
