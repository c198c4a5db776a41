"""timm models of the parity tests: the small ones of many families for every run, the rest for `pytest -m slow`."""

from pipelines.lrp_coverage import sizes

QUICK = """
test_resnet test_byobnet test_coatnet test_convnext test_convnext2 test_convnext3 test_efficientnet test_efficientnet_gn
test_mambaout test_maxvit test_nfnet test_vit test_vit2 test_vit3 test_vit4 test_vit_relpos resnet10t seresnet18
ecaresnet26t ghostnet_050 skresnet18 resnest14d res2net50_26w_4s resnetv2_18 nf_regnet_b0 densenet121 repvgg_a0 dla46_c
ese_vovnet19b_slim cspnext_tiny hgnetv2_b0 inception_next_atto gernet_s efficientnet_b0 efficientnet_b0_gn mnasnet_small
fbnetc_100 tinynet_e lcnet_035 hardcorenas_a mobilenetv2_035 mobilenetv3_small_050 mobilenetv4_conv_small_035
repghostnet_050 rexnet_100 regnetx_002 regnety_002 starnet_s050 fasternet_t0 convnext_atto convnextv2_atto
mambaout_femto poolformer_s12 poolformerv2_s12 edgenext_xx_small efficientvim_m1 iformer_t mobilevit_xxs levit_128s
fastvit_t8 swiftformer_xs vit_tiny_patch16_224 eva02_tiny_patch14_224 pvt_v2_b0 deit_tiny_patch16_224
""".split()  # noqa: SIM905

ATTENTION = ["test_vit", "test_coatnet", "levit_128s", "edgenext_xx_small", "eva02_tiny_patch14_224", "mobilevit_xxs"]
"""Families with a softmax: fused and written out, over tokens, windows and channels."""

TRAINED = ["test_resnet", "test_byobnet", "mobilenetv2_035"]
"""Compared in training mode too."""

UNSUPPORTED = {
    "test_efficientnet_ln": "inplace=False",  # an in-place ReLU on a permuted view
    "efficientnet_cc_b0_4e": "kernel depends on the image",
    "sequencer2d_s": "SigmoidBackward0",  # an LSTM, whose first forget gate weighs a constant
}
"""Refused, with a part of the reason."""

BOUNDS = {"efficientvit_b0": 1e-6}  # it computes its attention in float32
"""Where the largest relative difference to the oracle may exceed 1e-9."""

SIZES = sizes()
SLOW = [name for name in SIZES if name not in QUICK and name not in UNSUPPORTED and name != "senet154"]
