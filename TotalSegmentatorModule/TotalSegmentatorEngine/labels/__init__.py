"""From the networks' sums to labels on the CT's grid."""
