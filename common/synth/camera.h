/* Simulated cameras: models of several makes, how a photographer sets them, and what lens, sensor
   and development do to a drawn picture. Nothing here is measured from a real camera; the settings
   act as physics says: noise by ISO and sensor, blur by exposure time and by aperture, perspective
   by focal length. */
#ifndef BLADES_SYNTH_CAMERA_H
#define BLADES_SYNTH_CAMERA_H

#include "synth/drawn_scene.h"

typedef struct camera_model {
    const char *make, *model; /* as written into EXIF; the models do not exist */
    float crop;               /* sensor: 1 full frame, 1.5 APS-C, 6 a telephone's */
    float focal_mm[2];        /* shortest, longest */
    float f_number[2];        /* widest, narrowest */
    float iso[2];
    float full_well;     /* electrons at white at ISO 100, per pixel of the small picture */
    float read_noise;    /* electrons */
    bool plain_demosaic; /* bilinear instead of edge-directed */
    float contrast, saturation, warmth, black;
    float sharpening, sharpening_radius, noise_reduction;
    float softness, vignetting;
    int jpeg_quality;
    bool chroma_subsampling;
    float clever_metering; /* share of shots metered by pattern */
} camera_model;

extern const camera_model camera_models[];
extern const int camera_model_count;

/* EXIF 2.3 codes, tag by tag. */
typedef enum exposure_program {
    PROGRAM_MANUAL = 1,
    PROGRAM_NORMAL = 2,
    PROGRAM_APERTURE = 3,
    PROGRAM_SHUTTER = 4,
    PROGRAM_PORTRAIT = 7,
    PROGRAM_LANDSCAPE = 8
} exposure_program;
typedef enum metering_mode {
    METERING_AVERAGE = 1,
    METERING_CENTRE = 2,
    METERING_SPOT = 3,
    METERING_PATTERN = 5,
    METERING_PARTIAL = 6
} metering_mode;
typedef enum scene_capture {
    CAPTURE_STANDARD,
    CAPTURE_LANDSCAPE,
    CAPTURE_PORTRAIT,
    CAPTURE_NIGHT
} scene_capture;

/* One exposure: settings as EXIF records them, and circumstances that it does not record. */
typedef struct camera_shot {
    const camera_model *camera;
    float f_number, exposure_time_s, focal_length_mm, iso, exposure_bias_ev;
    exposure_program program;
    metering_mode metering;
    scene_capture capture;
    bool bracketing, manual_white_balance;
    int flash;       /* tag 0x9209 */
    int minute;      /* of the year 2020 */
    int orientation; /* 1, 6 or 8: how the stored picture must be turned */
    /* circumstances */
    float illuminant[3]; /* colour of the light, green 1 */
    float balance_error; /* what the white balance leaves of it */
    float key_share;     /* of the key light against the fill */
    float hardness;
    float subject_speed;      /* picture widths a second */
    float motion_angle, fill; /* radians; face height as share of the frame's */
    background_kind background;
} camera_shot;

/* Chooses a camera, a place and settings. */
void camera_shot_choose(camera_shot *shot, random_state *r);
/* Lights the scene as the shot's place does and steps back as far as its lens asks. */
void camera_shot_arrange(const camera_shot *shot, drawn_scene *scene, random_state *r);
/* Takes the picture: (size, size, 3) RGB8 out. */
bool camera_shot_take(const camera_shot *shot, const drawn_picture *in, random_state *r,
                      unsigned char *out, error *e);
/* A lens and a sensor without fault, and a plain tone curve: what drawing alone gives; linear
 * (size, size, 3). */
void picture_flatten(const drawn_picture *in, const float *background, float *rgb);
/* Gain that brings the metered part of a linear picture to middle grey. */
float camera_meter(metering_mode mode, const float *rgb, int size);

/* The shot's EXIF block ("Exif\0\0" and TIFF) for a picture of this size. NULL on error; the caller
 * frees. */
unsigned char *camera_shot_exif(const camera_shot *shot, int size, size_t *length, error *e);

#endif
