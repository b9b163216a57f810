/* The constants of Adam wherever it is used: PyTorch's defaults (Kingma and Ba, arXiv 1412.6980).
 */
#ifndef BLADES_NN_ADAM_H
#define BLADES_NN_ADAM_H

#define ADAM_BETA1 0.9   /* of the mean of gradients */
#define ADAM_BETA2 0.999 /* of the mean of their squares */
#define ADAM_EPSILON 1e-8

#endif
